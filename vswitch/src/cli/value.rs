//! Values on the command line, with errors that say what to write instead.

use ipnet::IpNet;
use vswitch_common::addr::MacAddr;

/// An address with its prefix length.
pub fn cidr(text: &str) -> Result<IpNet, String> {
    let found: IpNet = text.parse().map_err(
        |_| "it is no address with a prefix length; write one such as `10.0.0.2/24` or `fd00::2/64`",
    )?;
    if found.addr().is_multicast() {
        return Err("it is a multicast address; an interface takes a unicast one".into());
    }
    if found.addr().is_unspecified() {
        return Err("it is the unspecified address; an interface takes a real one".into());
    }
    Ok(found)
}

/// An address that an interface can have.
pub fn station(text: &str) -> Result<MacAddr, String> {
    let mac: MacAddr =
        text.parse().map_err(|error: vswitch_common::addr::ParseMacError| error.to_string())?;
    if mac.is_zero() {
        return Err("it is zero; write an address such as `02:00:00:00:00:01`".into());
    }
    if mac.is_group() {
        return Err("it is a group address, which no interface can have; make the first octet even".into());
    }
    Ok(mac)
}

/// A user's name or number.
pub fn user(text: &str) -> Result<u32, String> {
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    match nix::unistd::User::from_name(text) {
        Ok(Some(user)) => Ok(user.uid.as_raw()),
        Ok(None) | Err(_) => {
            Err("there is no such user; write a name or number that `getent passwd` shows".into())
        }
    }
}

/// A group's name or number.
pub fn group(text: &str) -> Result<u32, String> {
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    match nix::unistd::Group::from_name(text) {
        Ok(Some(group)) => Ok(group.gid.as_raw()),
        Ok(None) | Err(_) => {
            Err("there is no such group; write a name or number that `getent group` shows".into())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_need_a_prefix_length() {
        assert!(cidr("10.0.0.2/24").is_ok() && cidr("fd00::2/64").is_ok());
        for bad in [
            "10.0.0.2",
            "10.0.0.2/33",
            "10.0.0/24",
            "fd00::/129",
            "224.0.0.1/4",
            "0.0.0.0/0",
            "ff02::1/64",
            "",
        ] {
            assert!(cidr(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn group_addresses_are_refused() {
        assert!(station("02:00:00:00:00:01").is_ok());
        for bad in ["01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "2:0:0:0:0:1"] {
            assert!(station(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn users_have_names_and_numbers() {
        assert_eq!(user("root"), Ok(0));
        assert_eq!(user("4242"), Ok(4242));
        assert!(user("no such user").is_err());
        assert_eq!(group("root"), Ok(0));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = (cidr(&text), station(&text));
        }
    }
}
