//! ZooKeeper: the five requests that publishing takes, in a session of their own each time.
//!
//! The client library in the registry brings a second asynchronous runtime and thirty crates for these; the protocol
//! (length-prefixed big-endian records, called "jute") is written out here instead.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{KvError, KvPair, KvStore};

/// A server may take this long to be reached; then the next one is tried.
const CONNECT: Duration = Duration::from_secs(2);

/// One request may take this long.
const LIMIT: Duration = Duration::from_secs(3);

/// The session may outlive its connection for this long, milliseconds; it is closed anyway.
const SESSION_MS: i32 = 10_000;

/// A longer answer is none of ZooKeeper's (its own limit is 1 MB).
const LONGEST: usize = 4 << 20;

/// Port of an address that names none.
const PORT: u16 = 2181;

const CREATE: i32 = 1;
const GET_DATA: i32 = 4;
const SET_DATA: i32 = 5;
const CLOSE: i32 = -11;

const NO_NODE: i32 = -101;
const NODE_EXISTS: i32 = -110;

/// Servers of one ensemble.
#[derive(Debug, Clone)]
pub struct ZooKeeper {
    servers: Vec<String>,
}

impl ZooKeeper {
    /// `host[:port]`, comma between them (`ZkAddress`); `None` when there are none.
    pub fn new(addresses: &str) -> Option<Self> {
        let servers: Vec<String> =
            addresses.split(',').map(str::trim).filter(|text| !text.is_empty()).map(with_port).collect();
        (!servers.is_empty()).then_some(Self { servers })
    }

    /// A session with the first server that answers.
    async fn connect(&self) -> Result<Session, KvError> {
        let mut failures = Vec::new();
        for server in &self.servers {
            match tokio::time::timeout(CONNECT, Session::open(server)).await {
                Ok(Ok(session)) => return Ok(session),
                Ok(Err(error)) => failures.push(format!("{server}: {error}")),
                Err(_) => failures.push(format!("{server}: no answer within {} s", CONNECT.as_secs())),
            }
        }
        Err(KvError(failures.join("; ")))
    }
}

impl KvStore for ZooKeeper {
    fn name(&self) -> &'static str {
        "zookeeper"
    }

    fn put<'a>(&'a self, pairs: &'a [KvPair]) -> BoxFuture<'a, Result<(), KvError>> {
        async move {
            let mut session = self.connect().await?;
            for pair in pairs {
                session.write(&path(&pair.key), pair.value.as_bytes()).await?;
            }
            session.close().await;
            Ok(())
        }
        .boxed()
    }

    fn read<'a>(
        &'a self,
        _prefix: &'a str,
        keys: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<BTreeMap<String, String>>, KvError>> {
        async move {
            let mut session = self.connect().await?;
            let mut found = BTreeMap::new();
            for key in keys {
                if let Some(value) = session.read(&path(key)).await? {
                    found.insert(key.clone(), value);
                }
            }
            session.close().await;
            Ok(vec![found])
        }
        .boxed()
    }
}

fn with_port(server: &str) -> String {
    // An IPv6 address has colons of its own; with a port it stands in brackets.
    let bare = server.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<std::net::Ipv6Addr>() {
        Ok(address) => format!("[{address}]:{PORT}"),
        Err(_) if server.contains(':') => server.to_owned(),
        Err(_) => format!("{server}:{PORT}"),
    }
}

/// A key with one slash before it.
fn path(key: &str) -> String {
    format!("/{}", key.trim_start_matches('/'))
}

/// One session over one connection.
struct Session {
    stream: TcpStream,
    /// Number of the last request.
    xid: i32,
}

impl Session {
    async fn open(server: &str) -> Result<Self, KvError> {
        let stream = TcpStream::connect(server).await.map_err(|error| KvError(error.to_string()))?;
        let mut session = Self { stream, xid: 0 };
        let mut hello = Record::default();
        hello.int(0).long(0).int(SESSION_MS).long(0).bytes(&[0; 16]);
        session.send(&hello).await?;
        let answer = session.receive().await?;
        let mut answer = Reader(&answer);
        let _version = answer.int()?;
        // A session that is refused has no time to live.
        if answer.int()? <= 0 { Err(KvError("the session was refused".to_owned())) } else { Ok(session) }
    }

    /// Sets a node; creates it, and those above it, where it is missing.
    async fn write(&mut self, path: &str, data: &[u8]) -> Result<(), KvError> {
        if self.set(path, data).await? {
            return Ok(());
        }
        for (at, _) in path.match_indices('/').skip(1) {
            self.create(&path[..at], &[]).await?;
        }
        if self.create(path, data).await? || self.set(path, data).await? {
            return Ok(());
        }
        Err(KvError(format!("{path} comes and goes")))
    }

    /// `false` when there is no such node.
    async fn set(&mut self, path: &str, data: &[u8]) -> Result<bool, KvError> {
        let mut request = Record::default();
        // Whatever its version is.
        request.text(path).bytes(data).int(-1);
        match self.ask(SET_DATA, &request).await?.0 {
            0 => Ok(true),
            NO_NODE => Ok(false),
            code => Err(refused("set", path, code)),
        }
    }

    /// `false` when there is such a node already.
    async fn create(&mut self, path: &str, data: &[u8]) -> Result<bool, KvError> {
        let mut request = Record::default();
        // One entry: everybody may do everything (`spec/recovery.md` 7.2). A node that stays.
        request.text(path).bytes(data).int(1).int(31).text("world").text("anyone").int(0);
        match self.ask(CREATE, &request).await?.0 {
            0 => Ok(true),
            NODE_EXISTS => Ok(false),
            code => Err(refused("create", path, code)),
        }
    }

    async fn read(&mut self, path: &str) -> Result<Option<String>, KvError> {
        let mut request = Record::default();
        request.text(path).flag(false);
        let (code, body) = self.ask(GET_DATA, &request).await?;
        match code {
            0 => Ok(Some(String::from_utf8_lossy(Reader(&body).bytes()?).into_owned())),
            NO_NODE => Ok(None),
            code => Err(refused("get", path, code)),
        }
    }

    /// The server forgets the session by itself when it does not hear this.
    async fn close(mut self) {
        self.xid += 1;
        let mut request = Record::default();
        request.int(self.xid).int(CLOSE);
        let _ = self.send(&request).await;
    }

    /// Sends a request; gives the code and the body of its answer.
    async fn ask(&mut self, kind: i32, body: &Record) -> Result<(i32, Vec<u8>), KvError> {
        self.xid += 1;
        let mut request = Record::default();
        request.int(self.xid).int(kind).0.extend_from_slice(&body.0);
        let exchange = async {
            self.send(&request).await?;
            self.receive().await
        };
        let answer = tokio::time::timeout(LIMIT, exchange)
            .await
            .map_err(|_| KvError(format!("no answer within {} s", LIMIT.as_secs())))??;
        let mut reader = Reader(&answer);
        let (xid, _zxid, code) = (reader.int()?, reader.long()?, reader.int()?);
        if xid != self.xid {
            return Err(KvError(format!("expected the answer to request {}, got that to {xid}", self.xid)));
        }
        Ok((code, reader.0.to_vec()))
    }

    async fn send(&mut self, record: &Record) -> Result<(), KvError> {
        let length = u32::try_from(record.0.len()).map_err(|error| KvError(error.to_string()))?;
        let mut frame = length.to_be_bytes().to_vec();
        frame.extend_from_slice(&record.0);
        self.stream.write_all(&frame).await.map_err(|error| KvError(error.to_string()))
    }

    async fn receive(&mut self) -> Result<Vec<u8>, KvError> {
        let failed = |error: std::io::Error| KvError(error.to_string());
        let length = self.stream.read_u32().await.map_err(failed)?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > LONGEST {
            return Err(KvError(format!("an answer of {length} bytes is none of ZooKeeper's")));
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).await.map_err(failed)?;
        Ok(answer)
    }
}

fn refused(verb: &str, path: &str, code: i32) -> KvError {
    KvError(format!("{verb} {path}: ZooKeeper answered error {code}"))
}

/// A record in the making.
#[derive(Debug, Default)]
struct Record(Vec<u8>);

impl Record {
    fn int(&mut self, value: i32) -> &mut Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    fn long(&mut self, value: i64) -> &mut Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    fn flag(&mut self, value: bool) -> &mut Self {
        self.0.push(u8::from(value));
        self
    }

    fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.int(i32::try_from(value.len()).unwrap_or(i32::MAX));
        self.0.extend_from_slice(value);
        self
    }

    fn text(&mut self, value: &str) -> &mut Self {
        self.bytes(value.as_bytes())
    }
}

/// A record as it came.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], KvError> {
        let (taken, rest) =
            self.0.split_at_checked(count).ok_or_else(|| KvError("an answer ends too early".to_owned()))?;
        self.0 = rest;
        Ok(taken)
    }

    fn int(&mut self) -> Result<i32, KvError> {
        Ok(self.take(4)?.iter().fold(0, |value, byte| value << 8 | i32::from(*byte)))
    }

    fn long(&mut self) -> Result<i64, KvError> {
        Ok(self.take(8)?.iter().fold(0, |value, byte| value << 8 | i64::from(*byte)))
    }

    /// Empty for the length -1, which means "none".
    fn bytes(&mut self) -> Result<&'a [u8], KvError> {
        let length = self.int()?;
        self.take(usize::try_from(length).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("zk1, zk2:2182,,", &["zk1:2181", "zk2:2182"])]
    #[case("::1,[::1]:99", &["[::1]:2181", "[::1]:99"])]
    fn servers_without_a_port_get_the_usual_one(#[case] given: &str, #[case] expected: &[&str]) {
        assert_eq!(ZooKeeper::new(given).unwrap().servers, expected);
        assert!(ZooKeeper::new(" , ").is_none());
    }

    #[test]
    fn an_answer_that_ends_too_early_is_an_error() {
        assert!(Reader(&[0, 0, 0, 5, 1]).bytes().is_err());
        assert_eq!(Reader(&[0, 0, 0, 1, 7]).bytes().unwrap(), [7]);
        assert_eq!(Reader(&[0xff, 0xff, 0xff, 0xff]).bytes().unwrap(), [0_u8; 0]);
        assert_eq!(Reader(&[0xff, 0xff, 0xff, 0x9b]).int().unwrap(), NO_NODE);
    }
}
