//! What a link is.

use serde::{Serialize, Serializer};

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $word:literal;)*) => {
        /// The kind of a link, as `ip -d link` calls it.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum LinkKind {
            $($(#[$doc])* $name,)*
            /// A kind that this list does not know, by the kernel's name.
            Other(String),
        }

        impl LinkKind {
            /// The word in tables and JSON.
            pub fn word(&self) -> &str {
                match self {
                    $(Self::$name => $word,)*
                    Self::Other(word) => word,
                }
            }

            /// From the kernel's name of the kind (`IFLA_INFO_KIND`).
            pub(super) fn from_word(word: &str) -> Self {
                match word {
                    $($word => Self::$name,)*
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        #[cfg(test)]
        const ALL: &[LinkKind] = &[$(LinkKind::$name,)*];
    };
}

kinds! {
    /// `lo`
    Loopback = "loopback";
    /// A network card, real or emulated: a device that no software link type made.
    Physical = "physical";
    /// One end of a virtual cable.
    Veth = "veth";
    /// Packets to and from a process.
    Tun = "tun";
    /// Frames to and from a process.
    Tap = "tap";
    /// A Linux bridge.
    Bridge = "bridge";
    /// Another address on a device.
    Macvlan = "macvlan";
    /// As macvlan, with a character device for a process.
    Macvtap = "macvtap";
    /// Another IP address on a device, with the same MAC address.
    Ipvlan = "ipvlan";
    /// As ipvlan, with a character device for a process.
    Ipvtap = "ipvtap";
    /// One 802.1Q VLAN of a device.
    Vlan = "vlan";
    /// Ethernet in UDP.
    Vxlan = "vxlan";
    /// Ethernet in UDP with options.
    Geneve = "geneve";
    /// Ethernet in GRE.
    Gretap = "gretap";
    /// Several devices as one.
    Bond = "bond";
    /// Several devices as one, steered by a process.
    Team = "team";
    /// A routing domain.
    Vrf = "vrf";
    /// A device that swallows everything.
    Dummy = "dummy";
    /// A device to shape what comes in.
    Ifb = "ifb";
    /// A virtual cable with BPF programs at its ends (Linux 6.7).
    Netkit = "netkit";
    /// A `WireGuard` tunnel.
    Wireguard = "wireguard";
    /// An Open vSwitch datapath or port.
    Openvswitch = "openvswitch";
    /// A virtual CAN cable.
    Vxcan = "vxcan";
}

impl LinkKind {
    /// Whether the device's `IFLA_LINK` is the other end of a cable, rather than the device below.
    pub fn is_pair(&self) -> bool {
        matches!(self, Self::Veth | Self::Netkit | Self::Vxcan)
    }
}

impl Serialize for LinkKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_kinds_correspond() {
        for kind in ALL {
            assert_eq!(&LinkKind::from_word(kind.word()), kind);
        }
        assert_eq!(LinkKind::from_word("hsr").word(), "hsr");
    }
}
