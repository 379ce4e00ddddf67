//! One rtnetlink socket in one namespace, and how a request becomes an answer.

use std::{
    io,
    os::fd::{AsFd, FromRawFd, IntoRawFd, OwnedFd},
};

use futures_util::StreamExt;
use nix::errno::Errno;
use rtnetlink::{
    Handle,
    packet_core::{
        ErrorMessage, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage,
        NetlinkPayload, NlasIterator,
    },
    packet_route::RouteNetlinkMessage,
    sys::{Socket, TokioSocket, protocols::NETLINK_ROUTE},
};

use super::{HostError, error::Refusal, netns::Netns};

/// One netlink connection, to one namespace.
///
/// It stays in that namespace whatever its threads do later. It belongs to the tokio runtime in which it was opened.
#[derive(Debug)]
pub struct Host {
    handle: Handle,
    /// The same socket, for requests that are ioctls.
    control: OwnedFd,
}

/// Flags of a request that makes something new.
pub(super) const CREATE: u16 = NLM_F_CREATE | NLM_F_EXCL;
/// Flags of a request that changes something.
pub(super) const CHANGE: u16 = 0;

impl Host {
    /// The namespace of the calling thread.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O enabled.
    pub fn here() -> Result<Self, HostError> {
        Self::with_socket(open())
    }

    /// Another namespace. The socket is opened by a short-lived thread inside it, so that this thread stays where
    /// it is. Takes `CAP_SYS_ADMIN` unless it is the caller's own.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O enabled.
    pub fn at(ns: &Netns) -> Result<Self, HostError> {
        Self::with_socket(ns.run(open)?)
    }

    fn with_socket(socket: io::Result<(Socket, OwnedFd)>) -> Result<Self, HostError> {
        let (socket, control) =
            socket.map_err(|source| HostError::System { doing: "open a netlink socket".into(), source })?;
        // SAFETY: the descriptor was released by its only owner in this very expression.
        let socket = unsafe { TokioSocket::from_raw_fd(socket.into_raw_fd()) };
        let (connection, handle, _) = rtnetlink::from_socket(socket);
        tokio::spawn(connection);
        Ok(Self { handle, control })
    }

    /// A descriptor in the namespace of this connection, for ioctls and socket options.
    pub(super) fn control(&self) -> &OwnedFd {
        &self.control
    }

    /// Sends a request and waits until the kernel acknowledged it; gives what it answered.
    pub(super) async fn request(
        &self,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<Vec<RouteNetlinkMessage>, Refusal> {
        self.exchange(message, NLM_F_REQUEST | NLM_F_ACK | flags).await
    }

    /// Asks for all objects of a kind.
    pub(super) async fn dump(
        &self,
        message: RouteNetlinkMessage,
    ) -> Result<Vec<RouteNetlinkMessage>, Refusal> {
        self.exchange(message, NLM_F_REQUEST | NLM_F_DUMP).await
    }

    async fn exchange(
        &self,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<Vec<RouteNetlinkMessage>, Refusal> {
        let mut request = NetlinkMessage::from(message);
        request.header.flags = flags;
        let lost =
            || Refusal { errno: Errno::ENOLINK, said: Some("the netlink connection was closed".into()) };
        let mut answers = self.handle.clone().request(request).map_err(|_| lost())?;
        let mut found = Vec::new();
        while let Some(answer) = answers.next().await {
            match answer.payload {
                NetlinkPayload::InnerMessage(message) => found.push(message),
                NetlinkPayload::Error(error) if error.code.is_some() => return Err(refusal(&error)),
                NetlinkPayload::Overrun(_) => {
                    return Err(Refusal { errno: Errno::ENOBUFS, said: None });
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

/// A socket in the calling thread's namespace, and a second descriptor of it.
fn open() -> io::Result<(Socket, OwnedFd)> {
    let socket = Socket::new(NETLINK_ROUTE)?;
    // Errors come with the kernel's own words (Linux 4.12) after the bare header of the request.
    socket.set_cap_ack(true)?;
    socket.set_ext_ack(true)?;
    // Dumps of addresses and routes are filtered in the kernel (Linux 4.20); older ones send all, which is filtered here.
    if socket.set_netlink_get_strict_chk(true).is_err() {
        tracing::debug!("this kernel filters no netlink dumps");
    }
    let control = socket.as_fd().try_clone_to_owned()?;
    Ok((socket, control))
}

/// `NLMSGERR_ATTR_MSG`: the text in an extended acknowledgement.
const ATTR_MESSAGE: u16 = 1;
/// Length of `struct nlmsghdr`, which an error repeats before its attributes.
const HEADER_LEN: usize = 16;

fn refusal(error: &ErrorMessage) -> Refusal {
    let attributes = error.header.get(HEADER_LEN..).unwrap_or_default();
    let said = NlasIterator::new(attributes)
        .filter_map(Result::ok)
        .find(|attribute| attribute.kind() == ATTR_MESSAGE)
        .map(|attribute| String::from_utf8_lossy(attribute.value()).trim_end_matches('\0').to_owned())
        .filter(|text| !text.is_empty());
    Refusal { errno: Errno::from_raw(error.raw_code().saturating_neg()), said }
}

#[cfg(test)]
mod tests {
    use rtnetlink::packet_core::{ErrorBuffer, Parseable};

    use super::*;

    fn answer(attributes: &[u8]) -> Refusal {
        let mut bytes = (-libc::EINVAL).to_ne_bytes().to_vec();
        bytes.extend([0; HEADER_LEN]);
        bytes.extend(attributes);
        refusal(&ErrorMessage::parse(&ErrorBuffer::new(&bytes)).expect("an error"))
    }

    #[test]
    fn the_kernels_words_are_found_behind_the_header() {
        let mut attribute = [9_u16.to_ne_bytes(), ATTR_MESSAGE.to_ne_bytes()].concat();
        attribute.extend(b"why.\0\0\0\0");
        assert_eq!(answer(&attribute), Refusal { errno: Errno::EINVAL, said: Some("why.".into()) });
        assert_eq!(answer(&[]), Refusal { errno: Errno::EINVAL, said: None });
        // Nonsense is no reason to panic.
        assert_eq!(answer(&[1, 0, 0]), Refusal { errno: Errno::EINVAL, said: None });
    }
}
