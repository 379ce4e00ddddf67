//! The BPF toolchain: what is present, and how to install the rest.

mod linker;
mod llvm;
mod route;

pub use linker::Linker;
pub use llvm::LlvmLibrary;
pub use route::Route;
