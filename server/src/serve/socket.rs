//! Where connections come from: a TCP address or a socket of this machine.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener};

/// A client that neither takes what it is sent nor answers is given up after this long.
const UNANSWERED: Duration = Duration::from_secs(60);

/// Idle connections are asked for a sign of life this often.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// Both kinds of streams.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Takes connections.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A socket of this machine. Who may connect is decided by the rights of its file; they count as calling from 127.0.0.1.
    Unix(UnixListener),
}

impl Listener {
    /// Listens at a path. A socket that nobody listens at any more is replaced.
    ///
    /// # Errors
    /// What the system says; also when another process listens there.
    pub fn at_path(path: &Path) -> io::Result<Self> {
        match UnixListener::bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_abandoned(path) => {
                std::fs::remove_file(path)?;
                UnixListener::bind(path).map(Self::Unix)
            }
            bound => bound.map(Self::Unix),
        }
    }

    pub(super) async fn accept(&mut self) -> io::Result<(Box<dyn Stream>, SocketAddr)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Without these a connection works too.
                if let Err(error) = set_options(&stream) {
                    tracing::debug!(%peer, %error, "a connection goes without its options");
                }
                Ok((Box::new(stream), peer))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Box::new(stream), SocketAddr::from((Ipv4Addr::LOCALHOST, 0))))
            }
        }
    }
}

fn set_options(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEP_ALIVE))?;
    socket.set_tcp_user_timeout(Some(UNANSWERED))
}

/// It is a socket, and nobody takes connections there.
fn is_abandoned(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    is_socket && std::os::unix::net::UnixStream::connect(path).is_err_and(refused)
}

/// Connections that this process can hold beside those to servers and backend: up to `wanted`, and half of the files that it may
/// open, once it has asked for as many as it is entitled to.
pub fn most_connections(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let mut open = limit.current;
    if setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).is_ok() {
        open = limit.maximum;
    }
    let half = open.map_or(usize::MAX, |files| usize::try_from(files / 2).unwrap_or(usize::MAX));
    wanted.min(half).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_abandoned_socket_is_replaced_and_one_in_use_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("orc.sock");
        drop(Listener::at_path(&path).expect("free"));
        let listening = Listener::at_path(&path).expect("abandoned");
        assert_eq!(Listener::at_path(&path).expect_err("in use").kind(), io::ErrorKind::AddrInUse);
        drop(listening);
        std::fs::remove_file(&path).expect("removed");
        std::fs::write(&path, "no socket").expect("written");
        assert!(Listener::at_path(&path).is_err());
        assert_eq!(std::fs::read_to_string(&path).expect("kept"), "no socket");
    }

    #[test]
    fn there_is_room_for_connections() {
        assert!((1..=4_096).contains(&most_connections(4_096)));
    }
}
