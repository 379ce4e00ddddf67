//! Where the running kernel keeps the members of its structures, read from its own type information.
//!
//! Format: `Documentation/bpf/btf.rst` of Linux. aya reads it as well, but shows no members.

/// Magic number of the format; the byte order is the machine's own.
const MAGIC: u16 = 0xeb9f;
/// Length of the header of a type, in bytes.
const TYPE: usize = 12;
/// Length of a member of a structure, in bytes.
const MEMBER: usize = 12;

/// Kinds of types, as far as their names matter here.
const STRUCT: u32 = 4;
const UNION: u32 = 5;

/// The type information of a kernel.
pub struct TypeInfo<'a> {
    strings: &'a [u8],
    /// Each type from its header on; type 1 is the first.
    types: Vec<&'a [u8]>,
}

impl<'a> TypeInfo<'a> {
    /// Reads a whole file; `None` if it is damaged, or of a kind that did not exist when this was written.
    pub fn parse(file: &'a [u8]) -> Option<Self> {
        if u16::from_ne_bytes(*file.first_chunk()?) != MAGIC {
            return None;
        }
        let header = word(file, 4)?;
        let section = |at: usize| {
            let start = header.checked_add(word(file, at)?)?;
            file.get(start..start.checked_add(word(file, at + 4)?)?)
        };
        let (mut rest, strings) = (section(8)?, section(16)?);
        let mut types = Vec::new();
        while !rest.is_empty() {
            types.push(rest);
            rest = rest.get(TYPE + details(kind(rest)?, count(rest)?)?..)?;
        }
        Some(Self { strings, types })
    }

    /// Where a member is in a structure, in bytes from its beginning; members of nameless parts count as its own.
    pub fn offset(&self, structure: &str, member: &str) -> Option<u32> {
        let found = self.types.iter().find(|found| {
            kind(found) == Some(STRUCT) && word(found, 0).and_then(|at| self.name(at)) == Some(structure)
        })?;
        // Members that are not whole bytes are none that we could read.
        let bits = self.bits(found, member)?;
        (bits % 8 == 0).then_some(bits / 8)
    }

    fn bits(&self, structure: &[u8], member: &str) -> Option<u32> {
        // Of a structure with bit fields, the highest eight bits of an offset are the width of a field.
        let mask = if word(structure, 4)? >> 31 == 0 { u32::MAX } else { 0x00ff_ffff };
        for index in 0..count(structure)? {
            let at = TYPE + index * MEMBER;
            let offset = u32::try_from(word(structure, at + 8)?).ok()? & mask;
            let name = self.name(word(structure, at)?)?;
            if name == member {
                return Some(offset);
            }
            if name.is_empty()
                && let Some(part) = word(structure, at + 4)?.checked_sub(1)
                && let Some(part) = self.types.get(part)
                && matches!(kind(part)?, STRUCT | UNION)
                && let Some(inner) = self.bits(part, member)
            {
                return offset.checked_add(inner);
            }
        }
        None
    }

    fn name(&self, at: usize) -> Option<&'a str> {
        let rest = self.strings.get(at..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        std::str::from_utf8(&rest[..end]).ok()
    }
}

/// The number at a place, which is an offset or a length more often than not.
fn word(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    usize::try_from(u32::from_ne_bytes(*bytes)).ok()
}

fn kind(header: &[u8]) -> Option<u32> {
    u32::try_from(word(header, 4)? >> 24 & 0x1f).ok()
}

/// Number of members, values or parameters.
fn count(header: &[u8]) -> Option<usize> {
    Some(word(header, 4)? & 0xffff)
}

/// Length of what follows the header of a type, in bytes.
fn details(kind: u32, count: usize) -> Option<usize> {
    match kind {
        // Pointers, forward declarations, typedefs, qualifiers, functions, floats, type tags.
        2 | 7..=12 | 16 | 18 => Some(0),
        // Integers, variables, declaration tags.
        1 | 14 | 17 => Some(4),
        // Arrays.
        3 => Some(12),
        STRUCT | UNION => Some(count * MEMBER),
        // Enumerations, parameters.
        6 | 13 => Some(count * 8),
        // Data sections, enumerations of 64 bits.
        15 | 19 => Some(count * 12),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRINGS: &[u8] = b"\0int\0device\0first\0inner\0flag\0state\0";

    /// `struct device { int first; union { struct { int :3, flag:1; }; int state; }; }`, after an integer.
    fn file() -> Vec<u8> {
        let name = |name: &str| {
            let with_end = format!("{name}\0");
            let at = STRINGS.windows(with_end.len()).position(|part| part == with_end.as_bytes());
            u32::try_from(at.unwrap()).unwrap()
        };
        let types = [
            vec![name("int"), 1 << 24, 4, 32],
            vec![0, 4 << 24 | 1 << 31 | 1, 4, name("flag"), 1, 1 << 24 | 3],
            vec![0, 5 << 24 | 2, 4, 0, 2, 0, name("state"), 1, 0],
            vec![name("device"), 4 << 24 | 2, 8, name("first"), 1, 0, 0, 3, 32],
        ]
        .concat();
        let length = u32::try_from(types.len() * 4).unwrap();
        let strings = u32::try_from(STRINGS.len()).unwrap();
        let mut file = MAGIC.to_ne_bytes().to_vec();
        file.extend([1, 0]);
        for word in [24, 0, length, length, strings].iter().chain(&types) {
            file.extend(word.to_ne_bytes());
        }
        file.extend(STRINGS);
        file
    }

    #[test]
    fn members_are_found() {
        let file = file();
        let info = TypeInfo::parse(&file).unwrap();
        assert_eq!(info.offset("device", "first"), Some(0));
        assert_eq!(info.offset("device", "state"), Some(4));
        assert_eq!(info.offset("device", "flag"), None, "a bit field has no address");
        assert_eq!(info.offset("device", "other"), None);
        assert_eq!(info.offset("int", "first"), None, "an integer has no members");
    }

    #[test]
    fn what_is_damaged_is_refused() {
        let whole = file();
        for length in 0..whole.len() {
            assert!(TypeInfo::parse(&whole[..length]).is_none(), "{length}");
        }
        let mut unknown = whole;
        unknown[24 + 7] = 31;
        assert!(TypeInfo::parse(&unknown).is_none());
    }
}
