//! New links other than cables and taps.

use nix::errno::Errno;
use rtnetlink::packet_route::{
    RouteNetlinkMessage,
    link::{
        BridgeStpState, InfoBridge, InfoData, InfoIpVlan, InfoKind, InfoMacVlan, InfoMacVtap, IpVlanMode,
        LinkAttribute, LinkInfo, LinkMessage, MacVlanMode,
    },
};

use super::{Host, HostError, netlink::CREATE};
use crate::name::IfName;

/// A link to be made.
#[derive(Clone, Copy, Debug)]
pub enum VirtualLink {
    /// A Linux bridge.
    Bridge {
        /// Whether it runs the spanning tree protocol; none: the kernel's default, off.
        stp: Option<bool>,
    },
    /// Another MAC address on a device.
    Macvlan {
        /// Index of the device.
        parent: u32,
        /// Who may talk to whom.
        mode: MacvlanMode,
        /// With a character device for a process: a macvtap.
        tap: bool,
    },
    /// Another IP address on a device, with the same MAC address.
    Ipvlan {
        /// Index of the device.
        parent: u32,
        /// On which layer it forwards.
        mode: IpvlanMode,
    },
}

macro_rules! modes {
    ($(#[$doc:meta])* $type:ident -> $kernel:ident { $($(#[$of:meta])* $name:ident = $word:literal => $value:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $type {
            $($(#[$of])* $name,)*
        }

        impl $type {
            /// The words of all modes.
            pub const WORDS: &[&str] = &[$($word),*];

            /// From the word that `ip link` uses.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$name),)* _ => None }
            }

            fn kernel(self) -> $kernel {
                match self { $(Self::$name => $kernel::$value,)* }
            }
        }
    };
}

modes! {
    /// Who may talk to whom on one device.
    MacvlanMode -> MacVlanMode {
        /// All among each other, without leaving the host.
        Bridge = "bridge" => Bridge,
        /// Nobody among each other.
        Private = "private" => Private,
        /// Among each other through the switch outside.
        Vepa = "vepa" => Vepa,
        /// One only, which takes the device over.
        Passthru = "passthru" => Passthrough,
    }
}

modes! {
    /// On which layer an ipvlan forwards.
    IpvlanMode -> IpVlanMode {
        /// Frames.
        L2 = "l2" => L2,
        /// Packets.
        L3 = "l3" => L3,
        /// Packets, through netfilter.
        L3s = "l3s" => L3S,
    }
}

impl VirtualLink {
    fn info(self) -> (InfoKind, Option<InfoData>) {
        match self {
            Self::Bridge { stp } => {
                let state = |on| {
                    if on { BridgeStpState::KernelStp } else { BridgeStpState::Disabled }
                };
                (InfoKind::Bridge, stp.map(|on| InfoData::Bridge(vec![InfoBridge::StpState(state(on))])))
            }
            Self::Macvlan { mode, tap: false, .. } => {
                (InfoKind::MacVlan, Some(InfoData::MacVlan(vec![InfoMacVlan::Mode(mode.kernel())])))
            }
            Self::Macvlan { mode, tap: true, .. } => {
                (InfoKind::MacVtap, Some(InfoData::MacVtap(vec![InfoMacVtap::Mode(mode.kernel())])))
            }
            Self::Ipvlan { mode, .. } => {
                (InfoKind::IpVlan, Some(InfoData::IpVlan(vec![InfoIpVlan::Mode(mode.kernel())])))
            }
        }
    }

    fn parent(self) -> Option<u32> {
        match self {
            Self::Bridge { .. } => None,
            Self::Macvlan { parent, .. } | Self::Ipvlan { parent, .. } => Some(parent),
        }
    }

    /// The kernel's name of the kind, and the symbol that builds it.
    fn requires(self) -> (&'static str, &'static str) {
        match self {
            Self::Bridge { .. } => ("bridge", "CONFIG_BRIDGE"),
            Self::Macvlan { tap: false, .. } => ("macvlan", "CONFIG_MACVLAN"),
            Self::Macvlan { tap: true, .. } => ("macvtap", "CONFIG_MACVTAP"),
            Self::Ipvlan { .. } => ("ipvlan", "CONFIG_IPVLAN"),
        }
    }
}

impl Host {
    /// Makes a link in the connection's namespace.
    ///
    /// # Errors
    /// [`HostError::NoSuchKind`] if the kernel was built without it, [`HostError::LinkExists`] if the name is taken.
    pub async fn add_link(&self, name: &IfName, what: VirtualLink) -> Result<(), HostError> {
        let (kind, data) = what.info();
        let mut info = vec![LinkInfo::Kind(kind)];
        info.extend(data.map(LinkInfo::Data));
        let mut message = LinkMessage::default();
        message.attributes = vec![LinkAttribute::IfName(name.to_string())];
        message.attributes.extend(what.parent().map(LinkAttribute::Link));
        message.attributes.push(LinkAttribute::LinkInfo(info));
        let Err(refusal) = self.request(RouteNetlinkMessage::NewLink(message), CREATE).await else {
            return Ok(());
        };
        let (kind, config) = what.requires();
        Err(match (refusal.errno, what.parent()) {
            (Errno::EEXIST, _) => HostError::LinkExists { name: name.to_string() },
            (Errno::EOPNOTSUPP, _) => HostError::NoSuchKind { kind, config },
            (Errno::ENODEV, Some(index)) => HostError::LinkGone { index },
            _ => refusal.error(format!("make {kind} `{name}`")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_a_mode() {
        assert!(MacvlanMode::WORDS.iter().all(|word| MacvlanMode::from_word(word).is_some()));
        assert!(IpvlanMode::WORDS.iter().all(|word| IpvlanMode::from_word(word).is_some()));
        assert_eq!(MacvlanMode::from_word("l2"), None);
    }
}
