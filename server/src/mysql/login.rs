//! Logging in by hand, for the one connection whose socket must be watched ([`super::alarm`]): the driver hides its
//! socket and would tell of a reset only when the next statement is sent.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use app::InstanceKey;
use mysql_common::constants::CapabilityFlags;
use mysql_common::io::ParseBuf;
use mysql_common::packets::{AuthPlugin, AuthSwitchRequest, ErrPacket, HandshakePacket, HandshakeResponse, SslRequest};
use mysql_common::proto::MySerialize;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::error::MysqlError;
use super::settings::ConnectSettings;
use super::tls;

/// No packet of a login is longer.
const LONGEST: usize = 64 * 1024;
/// Announced to the server: our own statements are short.
const MAX_PACKET: u32 = 1 << 20;
/// `utf8mb4_general_ci`.
const COLLATION: u8 = 45;
/// As long as a server lets a session be idle, in seconds.
const IDLE_FOR: &str = "SET SESSION wait_timeout = 31536000";

/// A stream, encrypted or not.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A session that is logged in and does nothing but answer pings.
pub(super) struct Idle {
    stream: Box<dyn Stream>,
    /// A ping waits for its answer.
    asked: bool,
    /// What has come of the answer so far.
    answer: Vec<u8>,
}

/// `COM_PING`: one byte in a packet of its own.
const PING: [u8; 5] = [1, 0, 0, 0, 0x0e];

impl Idle {
    /// Asks for a sign of life, which [`Self::heard`] hears.
    pub(super) async fn ping(&mut self) -> io::Result<()> {
        self.asked = true;
        self.stream.write_all(&PING).await?;
        self.stream.flush().await
    }

    /// Completes when the server has answered a ping; fails when it has ended the session, by itself or by dying, with what was
    /// heard of it. May be dropped at any moment and called again.
    pub(super) async fn heard(&mut self) -> Result<(), String> {
        const ENDED: &str = "the server ended the session";
        let mut bytes = [0_u8; 64];
        loop {
            let count = self.stream.read(&mut bytes).await.map_err(|error| error.to_string())?;
            if count == 0 {
                return Err("the server closed the connection".to_owned());
            }
            self.answer.extend(bytes.iter().take(count));
            if !self.asked || self.answer.len() > LONGEST {
                return Err(ENDED.to_owned());
            }
            let [a, b, c, _sequence, payload @ ..] = self.answer.as_slice() else { continue };
            if payload.len() >= usize::from(*a) | usize::from(*b) << 8 | usize::from(*c) << 16 {
                let fine = payload.first() == Some(&0);
                self.asked = false;
                self.answer.clear();
                return if fine { Ok(()) } else { Err(ENDED.to_owned()) };
            }
        }
    }
}

/// Logs in. The whole handshake is done: a server blocks a host that leaves too many unfinished ones behind.
pub(super) async fn login(key: &InstanceKey, settings: &ConnectSettings, use_tls: bool) -> Result<Idle, MysqlError> {
    let failed = |reason: String| MysqlError::Connect { server: key.to_string(), reason };
    let io_failed = |error: io::Error| failed(error.to_string());
    let tcp = TcpStream::connect((key.hostname.as_str(), key.port)).await.map_err(io_failed)?;
    keep_alive(&tcp).map_err(io_failed)?;
    let mut wire = Wire { stream: Box::new(tcp) as Box<dyn Stream>, sequence: 0 };

    let greeting = wire.read().await.map_err(io_failed)?;
    server_error(&greeting, CapabilityFlags::empty())?;
    let handshake: HandshakePacket<'_> =
        ParseBuf(&greeting).parse(()).map_err(|_| failed("the greeting does not follow the protocol".to_owned()))?;
    let mut capabilities = handshake.capabilities()
        & (CapabilityFlags::CLIENT_PROTOCOL_41
            | CapabilityFlags::CLIENT_SECURE_CONNECTION
            | CapabilityFlags::CLIENT_LONG_PASSWORD
            | CapabilityFlags::CLIENT_TRANSACTIONS
            | CapabilityFlags::CLIENT_CONNECT_ATTRS
            | CapabilityFlags::CLIENT_PLUGIN_AUTH);
    if use_tls {
        if !handshake.capabilities().contains(CapabilityFlags::CLIENT_SSL) {
            return Err(failed("the server offers no TLS".to_owned()));
        }
        capabilities |= CapabilityFlags::CLIENT_SSL;
        wire.write_struct(&SslRequest::new(capabilities, MAX_PACKET, COLLATION)).await.map_err(io_failed)?;
        wire = encrypt(wire, key, settings).await?;
    }

    let mut nonce = handshake.nonce();
    nonce.resize(20, 0);
    let mut plugin = match handshake.auth_plugin() {
        Some(AuthPlugin::CachingSha2Password) => AuthPlugin::CachingSha2Password,
        _ => AuthPlugin::MysqlNativePassword,
    };
    let attributes = capabilities
        .contains(CapabilityFlags::CLIENT_CONNECT_ATTRS)
        .then(|| HashMap::from([("program_name".to_owned(), "orchestrator (death alarm)".to_owned())]));
    let proof = plugin.gen_data(Some(&settings.password), &nonce);
    let response = HandshakeResponse::new(
        proof.as_deref(),
        (8, 0, 0),
        Some(settings.user.as_bytes()),
        None::<&[u8]>,
        Some(plugin.borrow()),
        capabilities,
        attributes,
        MAX_PACKET,
    );
    wire.write_struct(&response).await.map_err(io_failed)?;

    loop {
        let packet = wire.read().await.map_err(io_failed)?;
        server_error(&packet, capabilities)?;
        match packet.as_slice() {
            [0x00, ..] => break,
            [0xfe, ..] => {
                let request: AuthSwitchRequest<'_> =
                    ParseBuf(&packet).parse(()).map_err(|_| failed("authentication went astray".to_owned()))?;
                nonce = request.plugin_data().to_vec();
                nonce.truncate(20);
                plugin = request.auth_plugin().into_owned();
                // For others the library panics, and our driver does not log in with them either.
                if !matches!(plugin, AuthPlugin::CachingSha2Password | AuthPlugin::MysqlNativePassword) {
                    return Err(failed("the server's way of authentication is not supported".to_owned()));
                }
                let proof = plugin.gen_data(Some(&settings.password), &nonce);
                wire.write(proof.as_deref().unwrap_or_default()).await.map_err(io_failed)?;
            }
            // The server remembers the password from an earlier login.
            [0x01, 0x03, ..] => {}
            [0x01, 0x04, ..] => {
                prove_in_full(&mut wire, settings, &nonce, use_tls).await.map_err(io_failed)?;
            }
            _ => return Err(failed("authentication went astray".to_owned())),
        }
    }
    wire.query(IDLE_FOR).await.map_err(io_failed).and_then(|answer| server_error(&answer, capabilities))?;
    Ok(Idle { stream: wire.stream, asked: false, answer: Vec::new() })
}

/// Finds out about a host that vanished without a word, and keeps firewalls from forgetting the idle connection.
fn keep_alive(tcp: &TcpStream) -> io::Result<()> {
    let every = std::time::Duration::from_secs(10);
    let again = std::time::Duration::from_secs(3);
    let options = socket2::TcpKeepalive::new().with_time(every).with_interval(again).with_retries(3);
    socket2::SockRef::from(tcp).set_tcp_keepalive(&options)
}

async fn encrypt(
    wire: Wire<Box<dyn Stream>>,
    key: &InstanceKey,
    settings: &ConnectSettings,
) -> Result<Wire<Box<dyn Stream>>, MysqlError> {
    let failed = |reason: String| MysqlError::Connect { server: key.to_string(), reason };
    let config = tls::client_config(&settings.tls).map_err(MysqlError::Settings)?;
    let name = ServerName::try_from(key.hostname.clone()).map_err(|error| failed(error.to_string()))?;
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, wire.stream)
        .await
        .map_err(|error| failed(error.to_string()))?;
    Ok(Wire { stream: Box::new(stream), sequence: wire.sequence })
}

/// `caching_sha2_password` when the server does not remember: the password itself over TLS, else under its RSA key.
async fn prove_in_full(
    wire: &mut Wire<Box<dyn Stream>>,
    settings: &ConnectSettings,
    nonce: &[u8],
    encrypted: bool,
) -> io::Result<()> {
    let mut password = settings.password.clone().into_bytes();
    password.push(0);
    if encrypted {
        return wire.write(&password).await;
    }
    wire.write(&[0x02]).await?;
    let packet = wire.read().await?;
    let Some((0x01, pem)) = packet.split_first() else { return Err(io::ErrorKind::InvalidData.into()) };
    for (byte, noise) in password.iter_mut().zip(nonce.iter().cycle()) {
        *byte ^= noise;
    }
    // The library panics on a key that is none.
    let sealed = std::panic::catch_unwind(|| mysql_common::crypto::encrypt(&password, pem))
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    wire.write(&sealed).await
}

fn server_error(packet: &[u8], capabilities: CapabilityFlags) -> Result<(), MysqlError> {
    if packet.first() != Some(&0xff) {
        return Ok(());
    }
    Err(match ParseBuf(packet).parse::<ErrPacket<'_>>(capabilities) {
        Ok(ErrPacket::Error(error)) => MysqlError::Server {
            code: error.error_code(),
            state: error.sql_state_ref().map(|state| state.as_str().into_owned()).unwrap_or_default(),
            message: error.message_str().into_owned(),
        },
        _ => MysqlError::Unexpected { what: "the login".to_owned(), reason: "an error that cannot be read".to_owned() },
    })
}

/// Packets: three bytes of length, one of sequence, payload.
struct Wire<S> {
    stream: S,
    sequence: u8,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    async fn read(&mut self) -> io::Result<Vec<u8>> {
        let [a, b, c, sequence] = self.stream.read_u32().await?.to_be_bytes();
        let length = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
        if length > LONGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a packet of a login is too long"));
        }
        self.sequence = sequence.wrapping_add(1);
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).await?;
        Ok(payload)
    }

    async fn write(&mut self, payload: &[u8]) -> io::Result<()> {
        let [a, b, c, ..] = u32::try_from(payload.len()).unwrap_or(0).to_le_bytes();
        let mut packet = vec![a, b, c, self.sequence];
        packet.extend_from_slice(payload);
        self.sequence = self.sequence.wrapping_add(1);
        self.stream.write_all(&packet).await?;
        self.stream.flush().await
    }

    async fn write_struct(&mut self, packet: &impl MySerialize) -> io::Result<()> {
        let mut payload = Vec::new();
        packet.serialize(&mut payload);
        self.write(&payload).await
    }

    async fn query(&mut self, statement: &str) -> io::Result<Vec<u8>> {
        self.sequence = 0;
        let mut payload = vec![0x03];
        payload.extend_from_slice(statement.as_bytes());
        self.write(&payload).await?;
        self.read().await
    }
}
