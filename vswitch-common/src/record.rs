//! What the controller must remember about a port so that any later command can list it and take it down.

/// One row of the `PORT_RECORDS` map. Texts are padded with zero bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRecord {
    /// Name of the port's device when the port was made.
    pub ifname: [u8; 16],
    /// Name of the interface at the other end of a veth pair, in `netns`; empty if there is none.
    pub peer_ifname: [u8; 16],
    /// Name of the namespace of the other end; empty if it has none (the host, or a process's).
    pub netns: [u8; 64],
    /// A [`PortKind`].
    pub kind: u8,
    /// 1 while the port is being made: a later command that finds it so undoes what was done.
    pub pending: u8,
    /// 1 if the namespace was made for this port.
    pub netns_made: u8,
    /// 1 if an adopted device was in promiscuous mode before.
    pub was_promiscuous: u8,
    /// 1 if an adopted device was up before.
    pub was_up: u8,
    /// Padding, always zero.
    pub reserved: [u8; 3],
    /// Identifier of the process whose namespace was meant, or 0.
    pub pid: u32,
    /// Interface index of the other end in its namespace, or 0.
    pub peer_ifindex: u32,
    /// Owner of a tap, or `u32::MAX`.
    pub owner: u32,
    /// Padding, always zero.
    pub reserved2: u32,
    /// Cookie of the namespace of the other end, so that a later namespace of the same name is not taken for it.
    pub netns_cookie: u64,
}

const _: () = assert!(size_of::<PortRecord>() == 128);

/// What a port's device is and who made it.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortKind {
    /// A veth pair of ours into a namespace.
    Netns = 1,
    /// A veth pair of ours into a process's namespace.
    Pid = 2,
    /// A tap of ours.
    Tap = 3,
    /// Somebody else's device.
    Dev = 4,
    /// A veth pair of ours, both ends on the host.
    Host = 5,
}

impl PortKind {
    /// From the byte in the map.
    pub const fn from_u8(value: u8) -> Option<Self> {
        match value {
            1 => Some(Self::Netns),
            2 => Some(Self::Pid),
            3 => Some(Self::Tap),
            4 => Some(Self::Dev),
            5 => Some(Self::Host),
            _ => None,
        }
    }

    /// The word in tables and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Netns => "netns",
            Self::Pid => "pid",
            Self::Tap => "tap",
            Self::Dev => "dev",
            Self::Host => "host",
        }
    }

    /// Whether the device was made by us, and so is deleted with the port.
    pub const fn is_ours(self) -> bool {
        !matches!(self, Self::Dev)
    }
}

impl PortRecord {
    /// An empty row.
    pub const EMPTY: Self = Self {
        ifname: [0; 16],
        peer_ifname: [0; 16],
        netns: [0; 64],
        kind: 0,
        pending: 0,
        netns_made: 0,
        was_promiscuous: 0,
        was_up: 0,
        reserved: [0; 3],
        pid: 0,
        peer_ifindex: 0,
        owner: u32::MAX,
        reserved2: 0,
        netns_cookie: 0,
    };
}

/// One row of the `NOTES` map: a text of the user's, at most 120 bytes long.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    /// UTF-8, padded with zero bytes.
    pub text: [u8; 120],
}

const _: () = assert!(size_of::<Note>() == 120);

impl Note {
    /// Nothing was written.
    pub const EMPTY: Self = Self { text: [0; 120] };
    /// Bytes that a text may have.
    pub const MAX_LEN: usize = 120;

    /// A text, cut to fit.
    pub fn new(text: &str) -> Self {
        Self { text: pack(text) }
    }

    /// The text; empty if nothing was written.
    pub fn text(&self) -> &str {
        unpack(&self.text)
    }
}

/// A text as it is kept in a record: cut to fit, padded with zeroes.
pub fn pack<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    for (to, from) in bytes.iter_mut().zip(text.as_bytes()) {
        *to = *from;
    }
    bytes
}

/// The text in a record's field; empty if it is not UTF-8.
pub fn unpack(bytes: &[u8]) -> &str {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    core::str::from_utf8(&bytes[..end]).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_round_trip_and_are_cut() {
        assert_eq!(unpack(&pack::<16>("web0")), "web0");
        assert_eq!(unpack(&pack::<4>("abcdef")), "abcd");
        assert_eq!(unpack(&pack::<4>("")), "");
    }
}
