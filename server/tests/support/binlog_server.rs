//! A small stand-in for a MaxScale binlog server, which cannot be had for tests: it speaks the protocol, knows the statements that one knows
//! and refuses all others. It passes no log on.

use std::sync::{Arc, Mutex};

use app::{BinlogCoordinates, InstanceKey};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Capabilities offered: protocol 4.1 with plug-in authentication, no TLS, no multiple statements.
const CAPABILITIES: u32 = 0x0008_0000 | 0x8000 | 0x2000 | 0x0200 | 0x0008 | 0x0001;

/// What it is and what it was told.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Its source.
    pub source: InstanceKey,
    /// How far it has received and stored.
    pub received: BinlogCoordinates,
    /// It replicates.
    pub runs: bool,
    /// Statements that changed it, in order.
    pub told: Vec<String>,
}

/// A running stand-in; it stops with the test's runtime.
#[derive(Debug)]
pub struct BinlogServer {
    /// Its port on 127.0.0.1.
    pub port: u16,
    standing: Arc<Mutex<Standing>>,
}

impl BinlogServer {
    /// Starts one that has stored the log of `source` up to there.
    pub async fn start(source: InstanceKey, received: BinlogCoordinates) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let standing = Arc::new(Mutex::new(Standing { source, received, runs: true, told: vec![] }));
        let shared = Arc::clone(&standing);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let standing = Arc::clone(&shared);
                tokio::spawn(async move {
                    // A client that goes away ends its session, as everywhere.
                    let _gone = serve(stream, &standing, u64::from(port)).await;
                });
            }
        });
        Self { port, standing }
    }

    /// As it stands.
    pub fn standing(&self) -> Standing {
        self.standing.lock().expect("no panic").clone()
    }
}

async fn serve(mut stream: TcpStream, standing: &Mutex<Standing>, server_id: u64) -> std::io::Result<()> {
    send(&mut stream, 0, &greeting()).await?;
    let (number, _login) = receive(&mut stream).await?;
    send(&mut stream, number.wrapping_add(1), &OK).await?;
    loop {
        let (_, request) = receive(&mut stream).await?;
        match request.split_first() {
            None | Some((1, _)) => return Ok(()),
            Some((3, text)) => {
                let text = String::from_utf8_lossy(text).into_owned();
                let answer = answer(&text, &mut standing.lock().expect("no panic"), server_id);
                let mut number = 1;
                for packet in answer {
                    send(&mut stream, number, &packet).await?;
                    number = number.wrapping_add(1);
                }
            }
            Some(_) => send(&mut stream, 1, &OK).await?,
        }
    }
}

/// The packets that answer a statement.
fn answer(statement: &str, standing: &mut Standing, server_id: u64) -> Vec<Vec<u8>> {
    let upper = statement.to_ascii_uppercase();
    let (file, position) = (standing.received.file.clone(), standing.received.position.to_string());
    let yes = if standing.runs { "Yes" } else { "No" };
    if upper.starts_with("SHOW VARIABLES LIKE 'MAXSCALE%'") {
        return rows(&["Variable_name", "Value"], &["MAXSCALE_VERSION", "2.4.19"]);
    }
    if upper.starts_with("SELECT @@GLOBAL.SERVER_ID") {
        return rows(&["server_id", "server_uuid"], &[&server_id.to_string(), ""]);
    }
    if upper.starts_with("SHOW MASTER STATUS") {
        return rows(&["File", "Position"], &[&file, &position]);
    }
    if upper.starts_with("SHOW SLAVE HOSTS") {
        return rows(&["Server_id", "Host", "Port", "Master_id"], &[]);
    }
    if upper.starts_with("SHOW SLAVE STATUS") {
        let (host, port) = (standing.source.hostname.clone(), standing.source.port.to_string());
        let columns = [
            ("Slave_IO_State", "Binlog Dump"),
            ("Master_Host", &host),
            ("Master_Port", &port),
            ("Master_User", "repl"),
            ("Master_Log_File", &file),
            ("Read_Master_Log_Pos", &position),
            ("Relay_Master_Log_File", &file),
            ("Exec_Master_Log_Pos", &position),
            ("Slave_IO_Running", yes),
            ("Slave_SQL_Running", yes),
            ("Seconds_Behind_Master", "0"),
        ];
        let (names, cells): (Vec<&str>, Vec<&str>) = columns.into_iter().unzip();
        return rows(&names, &cells);
    }
    let changes = ["STOP SLAVE", "START SLAVE", "CHANGE MASTER TO"];
    if !changes.iter().any(|known| upper.starts_with(known)) {
        return vec![refusal(&format!("not understood by a binlog server: {statement}"))];
    }
    standing.told.push(statement.to_owned());
    match upper.split_whitespace().next() {
        Some("STOP") => standing.runs = false,
        Some("START") => standing.runs = true,
        _ => change_source(statement, standing),
    }
    vec![OK.to_vec()]
}

fn change_source(statement: &str, standing: &mut Standing) {
    for option in statement.trim_start_matches("CHANGE MASTER TO").split(',') {
        let Some((name, value)) = option.split_once('=') else { continue };
        let value = value.trim().trim_matches('\'');
        match name.trim() {
            "MASTER_HOST" => standing.source.hostname = value.to_owned(),
            "MASTER_PORT" => standing.source.port = value.parse().expect("a port"),
            "MASTER_LOG_FILE" => standing.received.file = value.to_owned(),
            "MASTER_LOG_POS" => standing.received.position = value.parse().expect("a position"),
            _ => {}
        }
    }
}

const OK: [u8; 7] = [0, 0, 0, 2, 0, 0, 0];
const END: [u8; 5] = [0xfe, 0, 0, 2, 0];

fn greeting() -> Vec<u8> {
    let mut packet = vec![10];
    packet.extend_from_slice(b"5.5.5-10.2.12 2.4.19-maxscale\0");
    packet.extend_from_slice(&7_u32.to_le_bytes());
    packet.extend_from_slice(b"abcdefgh\0");
    packet.extend_from_slice(&CAPABILITIES.to_le_bytes()[..2]);
    packet.push(33);
    packet.extend_from_slice(&2_u16.to_le_bytes());
    packet.extend_from_slice(&CAPABILITIES.to_le_bytes()[2..]);
    packet.push(21);
    packet.extend_from_slice(&[0; 10]);
    packet.extend_from_slice(b"ijklmnopqrst\0");
    packet.extend_from_slice(b"mysql_native_password\0");
    packet
}

/// Columns, and one row, or none where no cells are given.
fn rows(columns: &[&str], cells: &[&str]) -> Vec<Vec<u8>> {
    let mut packets = vec![vec![columns.len() as u8]];
    for name in columns {
        let mut packet = vec![];
        for text in ["def", "", "", "", name, name] {
            text_into(&mut packet, text);
        }
        packet.push(0x0c);
        packet.extend_from_slice(&33_u16.to_le_bytes());
        packet.extend_from_slice(&255_u32.to_le_bytes());
        packet.extend_from_slice(&[0xfd, 0, 0, 0, 0, 0]);
        packets.push(packet);
    }
    packets.push(END.to_vec());
    if !cells.is_empty() {
        let mut row = vec![];
        cells.iter().for_each(|cell| text_into(&mut row, cell));
        packets.push(row);
    }
    packets.push(END.to_vec());
    packets
}

fn refusal(message: &str) -> Vec<u8> {
    let mut packet = vec![0xff];
    packet.extend_from_slice(&1064_u16.to_le_bytes());
    packet.extend_from_slice(b"#42000");
    packet.extend_from_slice(message.as_bytes());
    packet
}

/// A text with its length; all of ours are short.
fn text_into(packet: &mut Vec<u8>, text: &str) {
    packet.push(u8::try_from(text.len()).expect("a short text"));
    packet.extend_from_slice(text.as_bytes());
}

async fn send(stream: &mut TcpStream, number: u8, payload: &[u8]) -> std::io::Result<()> {
    let mut packet = u32::try_from(payload.len()).expect("a small packet").to_le_bytes()[..3].to_vec();
    packet.push(number);
    packet.extend_from_slice(payload);
    stream.write_all(&packet).await
}

async fn receive(stream: &mut TcpStream) -> std::io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let mut payload = vec![0; u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize];
    stream.read_exact(&mut payload).await?;
    Ok((head[3], payload))
}
