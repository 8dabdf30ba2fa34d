//! Matching over logs that are made up: each server writes the same transactions in its own logs, cut where it likes.

use app::coordinates::LogType;
use app::{BinlogCoordinates, InstanceKey};
use proptest::prelude::*;

use super::*;

/// One server's logs.
#[derive(Debug, Clone, Default)]
struct Server {
    logs: Vec<Vec<Event>>,
    /// Prefix of log names.
    name: &'static str,
    /// How long its events are: positions differ from server to server.
    width: u64,
    first_number: u64,
}

impl Server {
    fn new(name: &'static str, width: u64, first_number: u64) -> Self {
        let mut server = Self { logs: vec![], name, width, first_number };
        server.rotate();
        server
    }

    fn file(&self, at: usize) -> String {
        format!("{}.{:06}", self.name, self.first_number + u64::try_from(at).expect("few logs"))
    }

    fn write(&mut self, kind: &str, info: &str) {
        let file = self.file(self.logs.len() - 1);
        let log = self.logs.last_mut().expect("one");
        let pos = log.last().map_or(4, |last| last.end);
        log.push(Event { file, pos, kind: kind.to_owned(), end: pos + self.width, info: info.to_owned() });
    }

    fn rotate(&mut self) {
        if !self.logs.is_empty() {
            self.write("Rotate", "next;pos=4");
        }
        self.logs.push(vec![]);
        self.write("Format_desc", "Server ver: 9.7, Binlog ver: 4");
        self.write("Previous_gtids", "");
    }

    fn entry(&mut self, n: u64) {
        self.write("Anonymous_Gtid", "SET @@SESSION.GTID_NEXT= 'ANONYMOUS'");
        self.write("Query", &statement(i64::try_from(n).expect("small"), 1, n));
    }

    fn transaction(&mut self, n: u64) {
        let table = self.width * 3 + n;
        self.write("Anonymous_Gtid", "SET @@SESSION.GTID_NEXT= 'ANONYMOUS'");
        self.write("Query", "BEGIN");
        self.write("Table_map", &format!("table_id: {table} (app.t{})", n % 3));
        self.write("Write_rows", &format!("table_id: {table} flags: STMT_END_F"));
        self.write("Xid", &format!("COMMIT /* xid={table} */"));
    }

    fn end(&self) -> BinlogCoordinates {
        let last = self.logs.last().and_then(|log| log.last()).expect("an event");
        last.next().expect("small")
    }

    fn names(&self) -> Vec<String> {
        (0..self.logs.len()).map(|at| self.file(at)).collect()
    }

    fn answer(&self, question: &Question) -> Answer {
        match question {
            Question::Logs { .. } => Answer::Logs(self.names()),
            Question::Events { file, from, limit, .. } => {
                let Some(at) = self.names().iter().position(|name| name == file) else { return Answer::NoSuchPlace };
                let log = &self.logs[at];
                let end = log.last().map_or(4, |last| last.end);
                if *from != end && !log.iter().any(|event| event.pos == *from) {
                    return Answer::NoSuchPlace;
                }
                let behind = log.iter().filter(|event| event.pos >= *from);
                Answer::Events(behind.take(usize::try_from(*limit).expect("small")).cloned().collect())
            }
        }
    }
}

fn key(name: &str) -> InstanceKey {
    InstanceKey::new(name, 3306)
}

fn settings(chunk: u32) -> Settings {
    Settings {
        pattern: Pattern::new("drop view if exists `_pseudo_gtid_`", true).expect("a pattern"),
        monotonic_hint: "asc:".to_owned(),
        chunk,
        skip_containing: vec![],
    }
}

fn request(origin: Origin) -> Request {
    Request { replica: key("r"), source: key("s"), origins: vec![origin], source_hint: None }
}

fn whole(replica: &Server) -> Request {
    request(Origin::Binary { until: replica.end(), hint: None })
}

/// The match, and how many questions it took.
fn run(request: Request, settings: Settings, replica: &Server, source: &Server) -> Result<(Match, usize), MatchError> {
    let mut machine = Correlation::new(request, settings)?;
    for asked in 1..100_000 {
        let question = machine.question()?;
        let server = if question.side() == Side::Replica { replica } else { source };
        if let Some(found) = machine.advance(server.answer(&question))? {
            return Ok((found, asked));
        }
    }
    panic!("it asks without end: {}", machine.told());
}

/// What is written, on both servers or on the source alone.
#[derive(Debug, Clone, Copy)]
enum Write {
    Entry,
    Transaction,
    RotateReplica,
    RotateSource,
}

fn writes() -> impl Strategy<Value = Vec<Write>> {
    let one = prop_oneof![
        3 => Just(Write::Entry),
        6 => Just(Write::Transaction),
        1 => Just(Write::RotateReplica),
        1 => Just(Write::RotateSource),
    ];
    proptest::collection::vec(one, 0..60)
}

proptest! {
    #[test]
    fn the_place_found_is_right_behind_what_the_replica_has(
        before in writes(), beyond in writes(), chunk in 2u32..9, hinted in any::<bool>(),
    ) {
        let (mut replica, mut source) = (Server::new("own", 30, 7), Server::new("bin", 41, 1));
        replica.entry(1);
        source.entry(1);
        let mut place = source.end();
        let mut hint = replica.end();
        for (n, write) in before.iter().enumerate() {
            let n = u64::try_from(n).expect("few") + 2;
            match write {
                Write::Entry => { replica.entry(n); source.entry(n); place = source.end(); }
                Write::Transaction => { replica.transaction(n); source.transaction(n); place = source.end(); }
                Write::RotateReplica => replica.rotate(),
                Write::RotateSource => source.rotate(),
            }
            if n % 5 == 0 { hint = replica.end(); }
        }
        for (n, write) in beyond.iter().enumerate() {
            let n = u64::try_from(n).expect("few") + 1_000;
            match write {
                Write::Entry => source.entry(n),
                Write::Transaction => source.transaction(n),
                Write::RotateReplica | Write::RotateSource => source.rotate(),
            }
        }
        let origin = Origin::Binary { until: replica.end(), hint: hinted.then_some(hint) };
        let found = run(request(origin), settings(chunk), &replica, &source).expect("a match");
        prop_assert_eq!(found.0.at, place);
    }

    #[test]
    fn a_replica_with_more_or_other_transactions_is_never_matched(common in writes(), beyond in 1u64..4, chunk in 2u32..9) {
        let (mut replica, mut source) = (Server::new("own", 30, 1), Server::new("bin", 41, 1));
        replica.entry(1);
        source.entry(1);
        for (n, write) in common.iter().enumerate() {
            let n = u64::try_from(n).expect("few") + 2;
            match write {
                Write::Entry => { replica.entry(n); source.entry(n); }
                Write::Transaction => { replica.transaction(n); source.transaction(n); }
                Write::RotateReplica => replica.rotate(),
                Write::RotateSource => source.rotate(),
            }
        }
        for n in 0..beyond { replica.transaction(n); }
        let ahead = run(whole(&replica), settings(chunk), &replica, &source);
        let is_ahead = matches!(ahead, Err(MatchError::Ahead { .. }));
        prop_assert!(is_ahead, "{:?}", ahead);
        // The source went another way: it wrote something else.
        source.write("Query", "create table other (i int)");
        for n in 0..9 { source.transaction(n); }
        let differs = run(whole(&replica), settings(chunk), &replica, &source);
        let is_different = matches!(differs, Err(MatchError::Mismatch { .. }));
        prop_assert!(is_different, "{:?}", differs);
    }
}

/// A source with many logs of one entry and one transaction each; the replica has the first `held` of them.
fn many_logs(count: u64, held: u64) -> (Server, Server) {
    let (mut replica, mut source) = (Server::new("own", 30, 1), Server::new("bin", 41, 1));
    for n in 1..=count {
        source.entry(n);
        source.transaction(n);
        source.rotate();
        if n <= held {
            replica.entry(n);
            replica.transaction(n);
        }
    }
    (replica, source)
}

#[test]
fn among_many_logs_few_are_read() {
    let (replica, source) = many_logs(400, 37);
    let (found, asked) = run(whole(&replica), settings(100), &replica, &source).expect("a match");
    assert_eq!(found.at.file, "bin.000037");
    assert!(asked < 25, "{asked} questions");
}

#[test]
fn a_long_log_is_not_read_to_its_end_for_an_entry_that_cannot_come_again() {
    let (mut replica, mut source) = (Server::new("own", 30, 1), Server::new("bin", 41, 1));
    for n in 1..=500 {
        source.entry(n);
        source.transaction(n);
        if n <= 3 {
            replica.entry(n);
            replica.transaction(n);
        }
    }
    let (_, asked) = run(whole(&replica), settings(50), &replica, &source).expect("a match");
    assert!(asked < 10, "{asked} questions");
    let unordered = Settings { monotonic_hint: String::new(), ..settings(50) };
    let (_, asked) = run(whole(&replica), unordered, &replica, &source).expect("a match");
    assert!(asked > 60, "it may come again: {asked} questions");
}

#[test]
fn without_the_hint_of_growth_logs_are_read_backwards() {
    let (replica, source) = many_logs(40, 37);
    let settings = Settings { monotonic_hint: String::new(), ..settings(100) };
    let (found, asked) = run(whole(&replica), settings, &replica, &source).expect("a match");
    assert_eq!(found.at.file, "bin.000037");
    assert!(asked < 20, "{asked} questions");
}

#[test]
fn entries_out_of_order_are_found_all_the_same() {
    let (mut replica, mut source) = (Server::new("own", 30, 1), Server::new("bin", 41, 1));
    // A former primary whose clock was ahead wrote the first ones.
    for n in [900, 901, 5, 6, 7] {
        source.entry(n);
        source.rotate();
        replica.entry(n);
    }
    let (found, _) = run(whole(&replica), settings(3), &replica, &source).expect("a match");
    assert_eq!(found.at.file, "bin.000005");
    let (mut behind, mut expected) = (Server::new("own", 30, 1), 0);
    for n in [900, 901] {
        behind.entry(n);
        expected += 1;
    }
    let (found, _) = run(whole(&behind), settings(3), &behind, &source).expect("a match");
    assert_eq!(found.at.file, source.file(expected - 1));
}

#[test]
fn a_log_without_entries_does_not_mislead() {
    let (mut replica, mut source) = (Server::new("own", 30, 1), Server::new("bin", 41, 1));
    for n in 1..=9 {
        source.entry(n);
        source.rotate();
        source.rotate();
        if n <= 4 {
            replica.entry(n);
        }
    }
    let (found, _) = run(whole(&replica), settings(5), &replica, &source).expect("a match");
    assert_eq!(found.entry.text, statement(4, 1, 4));
}

#[test]
fn an_entry_that_is_there_twice_tells_no_place() {
    let (mut replica, mut source) = (Server::new("own", 30, 1), Server::new("bin", 41, 1));
    for server in [&mut replica, &mut source] {
        server.entry(1);
        server.transaction(1);
        server.entry(1);
    }
    let error = run(whole(&replica), settings(50), &replica, &source).expect_err("ambiguous on the replica");
    assert!(matches!(error, MatchError::Ambiguous { ref key, .. } if key.hostname == "r"), "{error}");
    let mut once = Server::new("own", 30, 1);
    once.entry(1);
    let error = run(whole(&once), settings(50), &once, &source).expect_err("ambiguous on the source");
    assert!(matches!(error, MatchError::Ambiguous { ref key, .. } if key.hostname == "s"), "{error}");
}

#[test]
fn errors_tell_what_was_looked_for_where_and_how_far() {
    let (mut replica, mut source) = (Server::new("own", 30, 1), Server::new("bin", 41, 1));
    replica.transaction(1);
    replica.rotate();
    let error = run(whole(&replica), settings(50), &replica, &source).expect_err("no entry").to_string();
    assert_eq!(
        error,
        "no pseudo-GTID entry in the binary logs of r:3306: looked through 2 of them, from own.000002 back to own.000001"
    );
    replica.entry(3);
    source.entry(2);
    source.rotate();
    let error = run(whole(&replica), settings(50), &replica, &source).expect_err("not there").to_string();
    assert!(
        error.contains("is not in the binary logs of s:3306: looked through 2 of them, bin.000001 to bin.000002"),
        "{error}"
    );
    assert!(error.contains("_asc:00000003:"), "{error}");
}

#[test]
fn a_log_that_ends_before_the_recorded_place_is_no_match() {
    let (mut replica, mut source) = (Server::new("own", 30, 1), Server::new("bin", 41, 1));
    for server in [&mut replica, &mut source] {
        server.entry(1);
        server.transaction(1);
    }
    for wrong in [replica.end().position + 500, replica.end().position - 7] {
        let until = BinlogCoordinates::binary("own.000001", wrong);
        let request = request(Origin::Binary { until, hint: None });
        let error = run(request, settings(50), &replica, &source).expect_err("the end is elsewhere");
        assert!(matches!(error, MatchError::EndNotReached { .. }), "{error}");
    }
}

#[test]
fn within_a_transaction_there_is_no_match() {
    let (mut replica, mut source) = (Server::new("own", 30, 1), Server::new("bin", 41, 1));
    for server in [&mut replica, &mut source] {
        server.entry(1);
        server.write("Query", "BEGIN");
    }
    source.write("Xid", "COMMIT /* xid=1 */");
    let error = run(whole(&replica), settings(50), &replica, &source).expect_err("within a transaction");
    assert!(matches!(error, MatchError::InsideTransaction { .. }), "{error}");
}

#[test]
fn the_relay_log_is_looked_through_where_the_binary_log_has_no_entry() {
    let (mut own, mut relay, mut source) =
        (Server::new("own", 30, 1), Server::new("relay", 17, 8), Server::new("bin", 41, 1));
    own.write("Query", "create table own_affair (i int)");
    relay.entry(1);
    source.entry(1);
    relay.rotate();
    relay.transaction(2);
    source.transaction(2);
    let applied = BinlogCoordinates { kind: LogType::Relay, ..relay.end() };
    let place = source.end();
    relay.transaction(3);
    source.transaction(3);
    let request = Request {
        origins: vec![Origin::Binary { until: own.end(), hint: None }, Origin::Relay { applied }],
        ..whole(&own)
    };
    let mut machine = Correlation::new(request, settings(4)).expect("begins");
    let found = loop {
        let question = machine.question().expect("a question");
        let server = match &question {
            Question::Events { kind: LogType::Relay, .. } => &relay,
            _ if question.side() == Side::Replica => &own,
            _ => &source,
        };
        if let Some(found) = machine.advance(server.answer(&question)).expect("a match") {
            break found;
        }
    };
    assert_eq!(found.at, place);
    assert_eq!(found.entry.at.file, "relay.000008");
}

#[test]
fn a_relay_log_that_is_purged_ends_the_search() {
    let relay = Server::new("relay", 17, 8);
    let applied = BinlogCoordinates { kind: LogType::Relay, ..relay.end() };
    let error = run(request(Origin::Relay { applied }), settings(4), &relay, &relay).expect_err("no entry").to_string();
    assert!(
        error.contains("relay logs of r:3306: looked through 1 of them, from relay.000008 back to relay.000008"),
        "{error}"
    );
}

#[test]
fn a_hint_that_is_no_place_any_more_costs_nothing_but_a_question() {
    let (replica, source) = many_logs(5, 5);
    let until = replica.end();
    let hint = Some(BinlogCoordinates::binary(until.file.clone(), 13));
    let mut request = request(Origin::Binary { until, hint });
    request.source_hint = Some(BinlogCoordinates::binary(source.end().file, 13));
    assert!(run(request, settings(50), &replica, &source).is_ok());
}

#[test]
fn events_to_be_skipped_are_passed_over_on_either_side() {
    let (mut replica, mut source) = (Server::new("own", 30, 1), Server::new("bin", 41, 1));
    for server in [&mut replica, &mut source] {
        server.entry(1);
    }
    replica.write("Query", "use `local`; insert into heartbeat");
    let settings = Settings { skip_containing: vec!["heartbeat".to_owned()], ..settings(50) };
    assert_eq!(run(whole(&replica), settings, &replica, &source).expect("a match").0.at, source.end());
}

#[test]
fn statements_name_the_channel_where_the_family_puts_it() {
    let events = |kind| Question::Events { side: Side::Replica, kind, file: "r.01".into(), from: 4, limit: 9 };
    assert_eq!(events(LogType::Binary).statement("c", false), "SHOW BINLOG EVENTS IN 'r.01' FROM 4 LIMIT 9");
    assert_eq!(events(LogType::Relay).statement("", true), "SHOW RELAYLOG EVENTS IN 'r.01' FROM 4 LIMIT 9");
    assert_eq!(events(LogType::Relay).statement("c", true), "SHOW RELAYLOG 'c' EVENTS IN 'r.01' FROM 4 LIMIT 9");
    assert_eq!(
        events(LogType::Relay).statement("c", false),
        "SHOW RELAYLOG EVENTS IN 'r.01' FROM 4 LIMIT 9 FOR CHANNEL 'c'"
    );
}

#[test]
fn a_pattern_is_a_text_or_an_expression() {
    assert!(Pattern::new("", true).is_err());
    assert!(Pattern::new("(", false).is_err());
    assert!(Pattern::new("(", true).expect("a text").matches("a(b"));
    assert!(Pattern::new("drop.*asc:", false).expect("an expression").matches("drop view asc:1"));
}
