//! Every reason for which a frame, or one copy of a flooded frame, is dropped.

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $index:literal, $word:literal, $sentence:literal;)*) => {
        /// Why a frame went nowhere. The number is the index into the drop counters.
        #[repr(u8)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum DropReason {
            $(#[doc = $sentence] $(#[$doc])* $name = $index,)*
        }

        impl DropReason {
            /// All reasons, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name in tables and JSON.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// One sentence for people.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)* }
            }
        }
    };
}

reasons! {
    Runt = 0, "runt", "the frame is shorter than an Ethernet header";
    InvalidSource = 1, "invalid-source", "the source is a group address or zero, so it is no station";
    Reserved = 2, "reserved", "the destination is 01:80:c2:00:00:01 (pause), which crosses a bridge only if `group-fwd-mask` says so";
    NotForwarding = 3, "not-forwarding", "the ingress port is disabled, blocking or learning";
    Locked = 4, "locked", "the ingress port is locked and the source is not in the FDB on it";
    SamePort = 5, "same-port", "the destination is behind the ingress port";
    Isolated = 6, "isolated", "ingress and egress ports are both isolated";
    EgressNotForwarding = 7, "egress-not-forwarding", "the destination's port is not forwarding";
    TooBig = 8, "too-big", "the frame, or a segment of it, exceeds the MTU of the egress port";
    NoPort = 9, "no-port", "there is no other port to which the frame may be flooded";
    DeviceDown = 10, "device-down", "the egress device is down, or refused the frame because it is full";
    DeviceGone = 11, "device-gone", "the device of the egress port no longer exists";
    Shut = 12, "shut", "a guard has shut the ingress port";
    Vlan = 13, "vlan", "the ingress port is not in the frame's VLAN, or takes no frame with such tags";
    EgressVlan = 14, "egress-vlan", "the destination's port is not in the frame's VLAN";
    Storm = 15, "storm", "the ingress port floods more than its storm control allows";
    Policed = 16, "policed", "the ingress or the egress port carries more than its policer allows";
    Bpdu = 17, "bpdu", "a BPDU came in by a port that is guarded against them";
    Looped = 18, "looped", "a frame of the switch's own device came back by a port that is guarded against loops";
    Held = 19, "held", "the source address moves between ports too often, so it is held where it was";
    Acl = 20, "acl", "a rule of the access control list denies the frame";
    Spoofed = 21, "spoofed", "the source address is not one that is bound to the ingress port";
}

impl DropReason {
    /// Number of reasons.
    pub const COUNT: usize = Self::ALL.len();
    /// Length of the counter array: room for more reasons without a new layout.
    pub const SLOTS: usize = 32;
}

const _: () = assert!(DropReason::COUNT <= DropReason::SLOTS);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_words_are_unique() {
        for (index, reason) in DropReason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, index);
            assert_eq!(DropReason::ALL.iter().filter(|other| other.word() == reason.word()).count(), 1);
            assert!(!reason.sentence().ends_with('.'));
        }
    }
}
