//! The command line: description only. What a verb does is in the file of its noun.

pub mod link;
pub mod ns;
pub mod output;
