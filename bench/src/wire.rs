//! A process full of made-up MySQL servers, for measuring the service against fleets that no machine could run.
//!
//! One port on all addresses of the loopback network: each address is a server of its own. Every server answers what a
//! probe asks in the words of MySQL 8.4, and holds the death alarm's idle session.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use app::InstanceKey;
use mysql_common::constants::{CapabilityFlags, ColumnType, StatusFlags};
use mysql_common::packets::{Column, HandshakePacket};
use mysql_common::proto::MySerialize as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::args::Args;
use crate::trees;

/// Servers in one cluster, unless `--cluster` says another number.
pub const CLUSTER: usize = 50;

/// Servers with consecutive numbers get addresses in 127.64.0.0/10.
const FIRST: u32 = u32::from_be_bytes([127, 64, 0, 0]);

/// Longest packet that a client may send: questions of a probe are a few kilobytes.
const LONGEST: usize = 1 << 20;

/// Key of a made-up server.
pub fn key(number: usize, port: u16) -> InstanceKey {
    let number = u32::try_from(number).unwrap_or(u32::MAX >> 10);
    InstanceKey::new(Ipv4Addr::from(FIRST + number).to_string(), port)
}

/// `bench fleet-servers`: serves until it is killed.
///
/// # Errors
/// The port is taken.
pub async fn run(args: &mut Args) -> Result<()> {
    let port: u16 = args.value("--port", 0)?;
    let count: usize = args.value("--servers", 100)?;
    let size: usize = args.value("--cluster", CLUSTER)?;
    args.end()?;
    ensure!(size > 0, "--cluster wants a number above 0");
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?;
    println!("{}", listener.local_addr()?.port());
    let began = Instant::now();
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            // A client that goes away is how each session ends.
            let _ = serve(stream, count, size, began).await;
        });
    }
}

struct Server {
    number: usize,
    port: u16,
    /// Servers in all.
    count: usize,
    /// Servers in one cluster.
    size: usize,
    began: Instant,
}

async fn serve(stream: TcpStream, count: usize, size: usize, began: Instant) -> Result<()> {
    stream.set_nodelay(true)?;
    let SocketAddr::V4(local) = stream.local_addr()? else { bail!("not of this network") };
    let number = u32::from(*local.ip()).checked_sub(FIRST).context("not one of ours")? as usize;
    let server = Server { number, port: local.port(), count, size, began };
    let mut wire = Wire { stream: BufReader::with_capacity(4096, stream), out: vec![] };

    let mut greeting = vec![];
    HandshakePacket::new(
        10,
        &b"8.4.6"[..],
        1,
        *b"abcdefgh",
        Some(&b"ijklmnopqrst\0"[..]),
        CapabilityFlags::CLIENT_PROTOCOL_41
            | CapabilityFlags::CLIENT_SECURE_CONNECTION
            | CapabilityFlags::CLIENT_LONG_PASSWORD
            | CapabilityFlags::CLIENT_TRANSACTIONS
            | CapabilityFlags::CLIENT_MULTI_STATEMENTS
            | CapabilityFlags::CLIENT_MULTI_RESULTS
            | CapabilityFlags::CLIENT_PS_MULTI_RESULTS
            | CapabilityFlags::CLIENT_PLUGIN_AUTH,
        45,
        StatusFlags::SERVER_STATUS_AUTOCOMMIT,
        Some(&b"mysql_native_password"[..]),
    )
    .serialize(&mut greeting);
    wire.push(0, &greeting);
    wire.send().await?;
    let (sequence, _anybody) = wire.read().await?;
    wire.push(sequence.wrapping_add(1), &ok(false));
    wire.send().await?;
    loop {
        let (_, command) = wire.read().await?;
        match command.split_first() {
            Some((0x03, text)) => answer(&mut wire, &server, &String::from_utf8_lossy(text)),
            Some((0x0e, _)) => wire.push(1, &ok(false)),
            _ => return Ok(()),
        }
        wire.send().await?;
    }
}

/// One result for each statement.
fn answer(wire: &mut Wire, server: &Server, text: &str) {
    let statements: Vec<&str> = text.split(";\n").collect();
    let mut sequence = 1_u8;
    for (index, statement) in statements.iter().enumerate() {
        let more = index + 1 < statements.len();
        let mut push = |payload: &[u8]| {
            wire.push(sequence, payload);
            sequence = sequence.wrapping_add(1);
        };
        let Some((columns, rows)) = server.table(statement) else {
            push(&ok(more));
            continue;
        };
        push(&[u8::try_from(columns.len()).unwrap_or(250)]);
        for name in &columns {
            let mut packet = vec![];
            Column::new(ColumnType::MYSQL_TYPE_VAR_STRING).with_name(name.as_bytes()).serialize(&mut packet);
            push(&packet);
        }
        push(&eof(more));
        for row in rows {
            let mut packet = vec![];
            row.iter().for_each(|value| put_text(&mut packet, value));
            push(&packet);
        }
        push(&eof(more));
    }
}

impl Server {
    /// Columns and rows; `None` for a statement without a result.
    fn table(&self, statement: &str) -> Option<(Vec<String>, Vec<Vec<String>>)> {
        let columns = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
        if statement.starts_with("SHOW GLOBAL VARIABLES") {
            let rows = self.variables().into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
            return Some((columns(&["Variable_name", "Value"]), rows));
        }
        if let Some(list) = statement.strip_prefix("SELECT @@GLOBAL.") {
            let known = self.variables();
            let asked = list.split(", @@GLOBAL.").filter_map(|item| item.split(' ').next());
            let pairs = asked.map(|name| {
                let value = known.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
                (name.to_owned(), value.unwrap_or_default())
            });
            let (names, values) = pairs.unzip();
            return Some((names, vec![values]));
        }
        if statement.starts_with("SHOW GLOBAL STATUS") {
            let uptime = vec!["Uptime".to_owned(), self.began.elapsed().as_secs().to_string()];
            return Some((columns(&["Variable_name", "Value"]), vec![uptime]));
        }
        if statement.starts_with("SHOW BINARY LOG STATUS") {
            let row = ["binlog.000007", &self.position().to_string(), "", "", ""].map(str::to_owned).to_vec();
            let names = ["File", "Position", "Binlog_Do_DB", "Binlog_Ignore_DB", "Executed_Gtid_Set"];
            return Some((columns(&names), vec![row]));
        }
        if statement.starts_with("SHOW REPLICAS") {
            let names = ["Server_Id", "Host", "Port", "Source_Id", "Replica_UUID"];
            return Some((columns(&names), self.replicas()));
        }
        if statement.starts_with("SHOW REPLICA STATUS") {
            return Some(self.replica_status());
        }
        if statement.contains("processlist") {
            return Some((columns(&["USER", "HOST"]), vec![]));
        }
        if statement.contains("replication_connection_configuration") {
            let names =
                ["CHANNEL_NAME", "HEARTBEAT_INTERVAL", "GET_PUBLIC_KEY", "TLS_CIPHERSUITES", "heartbeat_age_us"];
            let row = ["", "30.000", "NO", "", "120000"].map(str::to_owned).to_vec();
            return Some((columns(&names), self.source().map(|_| row).into_iter().collect()));
        }
        statement.starts_with("SELECT").then(|| (columns(&["value"]), vec![vec!["1".to_owned()]]))
    }

    fn first(&self) -> usize {
        self.number - self.number % self.size
    }

    fn source(&self) -> Option<usize> {
        trees::source_of(self.number - self.first()).map(|place| self.first() + place)
    }

    /// The binary log grows, as that of a server in use does.
    fn position(&self) -> u64 {
        1_000 + self.began.elapsed().as_millis() as u64
    }

    fn gtid(&self) -> String {
        format!("{}:1-{}", trees::uuid(self.first()), 1_000 + self.began.elapsed().as_secs())
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        let replica = if self.source().is_some() { "1" } else { "0" };
        let host = key(self.number, self.port).hostname;
        let pairs = [
            ("version", "8.4.6"),
            ("version_comment", "MySQL Community Server - GPL"),
            ("hostname", &host),
            ("report_host", &host),
            ("port", &self.port.to_string()),
            ("server_id", &(self.number + 1).to_string()),
            ("server_uuid", &trees::uuid(self.number)),
            ("read_only", replica),
            ("super_read_only", replica),
            ("binlog_format", "ROW"),
            ("binlog_row_image", "FULL"),
            ("log_bin", "1"),
            ("log_replica_updates", "1"),
            ("gtid_mode", "ON"),
            ("gtid_executed", &self.gtid()),
            ("gtid_purged", ""),
            ("performance_schema", "1"),
        ];
        pairs.map(|(name, value)| (name, value.to_owned())).to_vec()
    }

    fn replicas(&self) -> Vec<Vec<String>> {
        let place = self.number - self.first();
        (1..self.size)
            .filter(|other| trees::source_of(*other) == Some(place) && self.first() + other < self.count)
            .map(|other| {
                let number = self.first() + other;
                let host = key(number, self.port).hostname;
                let (id, own) = ((number + 1).to_string(), (self.number + 1).to_string());
                vec![id, host, self.port.to_string(), own, trees::uuid(number)]
            })
            .collect()
    }

    fn replica_status(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let source = self.source();
        let number = source.unwrap_or_default();
        let pairs = [
            ("Replica_IO_State", "Waiting for source to send event"),
            ("Source_Host", &key(number, self.port).hostname),
            ("Source_User", "repl"),
            ("Source_Port", &self.port.to_string()),
            ("Connect_Retry", "60"),
            ("Source_Log_File", "binlog.000007"),
            ("Read_Source_Log_Pos", &self.position().to_string()),
            ("Relay_Log_File", "relay.000009"),
            ("Relay_Log_Pos", &self.position().to_string()),
            ("Relay_Source_Log_File", "binlog.000007"),
            ("Exec_Source_Log_Pos", &self.position().to_string()),
            ("Replica_IO_Running", "Yes"),
            ("Replica_SQL_Running", "Yes"),
            ("Seconds_Behind_Source", "0"),
            ("Last_IO_Errno", "0"),
            ("Last_IO_Error", ""),
            ("Last_SQL_Errno", "0"),
            ("Last_SQL_Error", ""),
            ("Source_Server_Id", &(number + 1).to_string()),
            ("Source_UUID", &trees::uuid(number)),
            ("SQL_Delay", "0"),
            ("Source_Retry_Count", "10"),
            ("Retrieved_Gtid_Set", &self.gtid()),
            ("Executed_Gtid_Set", &self.gtid()),
            ("Auto_Position", "1"),
            ("Channel_Name", ""),
        ];
        let columns = pairs.iter().map(|(name, _)| (*name).to_owned()).collect();
        let row = pairs.iter().map(|(_, value)| (*value).to_owned()).collect();
        (columns, source.map(|_| row).into_iter().collect())
    }
}

/// Packets over one connection.
struct Wire {
    stream: BufReader<TcpStream>,
    out: Vec<u8>,
}

impl Wire {
    async fn read(&mut self) -> Result<(u8, Vec<u8>)> {
        let [a, b, c, sequence] = self.stream.read_u32_le().await?.to_le_bytes();
        let length = u32::from_le_bytes([a, b, c, 0]) as usize;
        if length > LONGEST {
            bail!("a packet of {length} bytes");
        }
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).await?;
        Ok((sequence, payload))
    }

    /// No payload of ours is longer than one packet can be.
    fn push(&mut self, sequence: u8, payload: &[u8]) {
        let [a, b, c, _] = u32::try_from(payload.len()).unwrap_or_default().to_le_bytes();
        self.out.extend([a, b, c, sequence]);
        self.out.extend_from_slice(payload);
    }

    async fn send(&mut self) -> Result<()> {
        self.stream.get_mut().write_all(&self.out).await?;
        // Kept small: there are very many of these.
        self.out = vec![];
        Ok(())
    }
}

fn status(more: bool) -> [u8; 2] {
    let more = if more { StatusFlags::SERVER_MORE_RESULTS_EXISTS } else { StatusFlags::empty() };
    (StatusFlags::SERVER_STATUS_AUTOCOMMIT | more).bits().to_le_bytes()
}

fn ok(more: bool) -> Vec<u8> {
    let [a, b] = status(more);
    vec![0x00, 0, 0, a, b, 0, 0]
}

fn eof(more: bool) -> Vec<u8> {
    let [a, b] = status(more);
    vec![0xfe, 0, 0, a, b]
}

/// A text with its length in front.
fn put_text(packet: &mut Vec<u8>, text: &str) {
    match u8::try_from(text.len()) {
        Ok(short) if short < 251 => packet.push(short),
        _ => {
            packet.push(0xfc);
            packet.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes());
        }
    }
    packet.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number_of(host: &str) -> Option<u32> {
        let address: Ipv4Addr = host.parse().ok()?;
        u32::from(address).checked_sub(FIRST)
    }

    #[test]
    fn each_number_has_an_address_of_its_own() {
        for number in [0, 255, 256, 9_999, 65_536] {
            assert_eq!(number_of(&key(number, 1).hostname), Some(u32::try_from(number).unwrap_or_default()));
        }
    }

    #[test]
    fn replicas_name_the_source_that_names_them() {
        let server = |number| Server { number, port: 1, count: 100, size: CLUSTER, began: Instant::now() };
        let below = server(51).replicas();
        assert!(!below.is_empty());
        for row in below {
            let number = number_of(row.get(1).map_or("", String::as_str)).unwrap_or_default() as usize;
            assert_eq!(server(number).source(), Some(51));
        }
    }
}
