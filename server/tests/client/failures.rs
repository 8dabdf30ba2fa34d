//! Bad input and bad answers: each with words that say what was wrong, exit code 1, and nothing done twice.

use rstest::rstest;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use crate::support::{Fake, line, nobody, run};

/// Standard error of a line that must fail before anybody is asked.
async fn refused(command: &str) -> String {
    let fake = Fake::saying(200, "null").await;
    let ending = line(command, &fake.url).await;
    assert_eq!((ending.stdout.as_str(), ending.code), ("", 1), "{command}");
    assert_eq!(fake.targets(), Vec::<String>::new(), "{command}");
    ending.stderr
}

#[rstest]
#[case("", "no command given: expected is -c COMMAND; see -c help")]
#[case("-c nosuch", "unknown command \"nosuch\"; see -c help")]
#[case("-c topology orders", "unexpected argument \"orders\"")]
#[case("-c topology -z", "unknown option -z")]
#[case("-c", "option -c needs a value")]
#[case("-c discover -D x", "-D: a port from 1 to 65535 was expected, not \"x\"")]
#[case("-c discover", "instance must be provided (-i)")]
#[case("-c relocate -i db1", "destination must be provided (-d)")]
#[case("-c force-master-takeover -a orders", "destination must be provided (-d)")]
#[case("-c topology", "alias or instance must be provided (-a or -i)")]
#[case("-c begin-downtime -i db1", "reason must be provided (-r)")]
#[case("-c begin-downtime -i db1 -r a/b", "-r: \"a/b\" goes into a path of the API")]
#[case("-c ack-all-recoveries", "reason must be provided (-r)")]
#[case("-c register-candidate -i db1", "promotion rule must be provided (-R)")]
#[case("-c tag -i db1", "tag must be provided (-t)")]
#[case("-c submit-pool-instances -i db1", "pool must be provided (-l)")]
#[case("-c purge-binary-logs -i db1", "binlog must be provided (-n)")]
#[case("-c delay-replication -i db1", "seconds must be provided (-S)")]
#[case("-c restart-replica-statements -i db1", "query must be provided (-q)")]
#[case("-c raft-elect-leader", "hostname must be provided (-H)")]
#[case("-c api", "path must be provided (-P)")]
#[case("-c discover -i db1:port", "-i: ")]
#[case("-c clusters -U ftp://orc", "\"ftp://orc\" is no address of the service")]
#[case("-c clusters -e nonsense", "-e is no header: expected is Name:value")]
#[tokio::test]
async fn bad_input_is_told_before_anybody_is_asked(#[case] command: &str, #[case] expected: &str) {
    let told = refused(command).await;
    assert!(told.starts_with(&format!("orchestrator-client[42]: {expected}")), "{told}");
}

#[tokio::test]
async fn help_needs_no_service() {
    for words in [&["-c", "help"][..], &["-h"], &["--help"]] {
        let ending = run(words, &[("ORCHESTRATOR_API", "nonsense://")]).await;
        assert_eq!((ending.stderr.as_str(), ending.code), ("", 0));
        assert!(ending.stdout.starts_with("Usage: orchestrator-client"), "{}", ending.stdout);
    }
}

#[tokio::test]
async fn a_service_that_is_down_is_named_without_password() {
    let url = nobody().await.replace("http://", "http://dba:secret@");
    let ending = line("-c clusters", &url).await;
    assert_eq!((ending.stdout.as_str(), ending.code), ("", 1));
    assert!(
        ending.stderr.starts_with("orchestrator-client[42]: cannot reach http://***@127.0.0.1:"),
        "{}",
        ending.stderr
    );
    assert!(ending.stderr.contains("refused") && !ending.stderr.contains("secret"), "{}", ending.stderr);
}

#[tokio::test]
async fn an_error_of_the_service_is_told_in_its_words() {
    let body = r#"{"Code":"ERROR","Message":"Can't  relocate\n'db1'","Details":{"Hostname":"db1","Port":3306}}"#;
    let fake = Fake::saying(500, body).await;
    let ending = line("-c relocate -i db1 -d db2", &fake.url).await;
    assert_eq!(ending.stderr, "Cant relocate db1\n");
    assert_eq!((ending.stdout.as_str(), ending.code), ("{\"Hostname\":\"db1\",\"Port\":3306}\n", 1));
    assert_eq!(fake.targets().len(), 1, "an answer is an answer");
    // Whoever asks for JSON gets it.
    let ending = line("-c api -P relocate/db1/3306/db2/3306", &fake.url).await;
    assert_eq!((ending.stdout, ending.code), (format!("{body}\n"), 1));
    let without = Fake::saying(500, r#"{"Code":"ERROR","Message":"Unauthorized","Details":null}"#).await;
    let ending = line("-c discover -i db1", &without.url).await;
    assert_eq!((ending.stdout.as_str(), ending.stderr.as_str(), ending.code), ("", "Unauthorized\n", 1));
}

#[tokio::test]
async fn who_is_not_let_in_is_told_at_once() {
    let fake = Fake::saying(401, "Not Authorized").await;
    for (command, words) in [("clusters", "/api/clusters-info"), ("discover -i db1", "/api/discover/db1/3306")] {
        let ending = line(&format!("-c {command}"), &fake.url.replace("http://", "http://dba:secret@")).await;
        assert_eq!((ending.stdout.as_str(), ending.code), ("", 1));
        assert!(
            ending.stderr.contains("access denied (401 Unauthorized) by http://***@127.0.0.1:"),
            "{}",
            ending.stderr
        );
        assert!(ending.stderr.contains(words) && !ending.stderr.contains("secret"), "{}", ending.stderr);
    }
    assert_eq!(fake.targets().len(), 2, "no other try");
}

#[tokio::test]
async fn an_unknown_path_and_something_else_than_the_service_are_told_at_once() {
    let fake = Fake::saying(404, "404 page not found\n").await;
    let ending = line("-c api -P nosuch", &fake.url).await;
    assert_eq!((ending.stdout.as_str(), ending.code), ("", 1));
    let expected = "/api/nosuch answered 404 Not Found with something that is no JSON: 404 page not found\n";
    assert!(ending.stderr.ends_with(expected), "{}", ending.stderr);
    let page = Fake::saying(200, "<html>welcome</html>").await;
    let ending = line("-c clusters", &page.url).await;
    assert!(ending.stderr.contains("no JSON: <html>welcome</html>"), "{}", ending.stderr);
    assert_eq!((fake.targets().len(), page.targets().len()), (1, 1));
    let other = Fake::saying(200, r#"{"hello": "world"}"#).await;
    let ending = line("-c clusters", &other.url).await;
    assert_eq!(ending.code, 1);
    let expected = "/api/clusters-info: {\"hello\": \"world\"}\n";
    assert!(ending.stderr.contains("the answer is not what was expected of"), "{}", ending.stderr);
    assert!(ending.stderr.ends_with(expected), "{}", ending.stderr);
}

/// What a proxy says, and how often a read is asked for then. A change is asked for once.
#[rstest]
#[case(502, 8)]
#[case(503, 8)]
#[case(504, 8)]
#[case(500, 1)]
#[case(403, 1)]
#[tokio::test]
async fn reads_are_asked_for_again_and_changes_are_not(#[case] status: u16, #[case] reads: usize) {
    let fake = Fake::saying(status, "<html>proxy</html>").await;
    let ending = line("-c clusters", &fake.url).await;
    assert_eq!(ending.code, 1);
    assert!(!ending.stderr.contains("may have been done"), "{}", ending.stderr);
    assert_eq!(fake.targets().len(), reads);
    let ending = line("-c graceful-master-takeover-auto -a orders", &fake.url).await;
    assert_eq!(ending.code, 1);
    assert_eq!(ending.stderr.contains("may have been done all the same"), status >= 500, "{}", ending.stderr);
    assert_eq!(fake.targets().len(), reads + 1);
}

#[tokio::test]
async fn a_service_that_comes_back_in_time_is_asked_again() {
    let tries = std::sync::atomic::AtomicUsize::new(0);
    let fake = Fake::new(move |_| match tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0..3 => (503, "nobody there".to_owned()),
        _ => (200, "[]".to_owned()),
    })
    .await;
    let ending = line("-c clusters", &fake.url).await;
    assert_eq!((ending.stdout.as_str(), ending.stderr.as_str(), ending.code), ("", "", 0));
    assert_eq!(fake.targets().len(), 4);
}

/// A service that takes requests and hangs up; how many it took.
async fn hanging_up() -> (String, tokio::sync::mpsc::UnboundedReceiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (taken, counter) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut request = [0; 1024];
            if connection.read(&mut request).await.is_ok_and(|read| read > 0) {
                let _test_is_over = taken.send(());
            }
        }
    });
    (url, counter)
}

#[tokio::test]
async fn a_change_whose_answer_is_lost_is_not_repeated() {
    let (url, mut taken) = hanging_up().await;
    let ending = line("-c skip-query -i db1", &url).await;
    assert_eq!(ending.code, 1);
    assert!(ending.stderr.contains("no answer from http://127.0.0.1:"), "{}", ending.stderr);
    assert!(ending.stderr.contains("may have been done all the same"), "{}", ending.stderr);
    assert_eq!(std::iter::from_fn(|| taken.try_recv().ok()).count(), 1);
    let ending = line("-c clusters", &url).await;
    assert_eq!(ending.code, 1);
    assert_eq!(std::iter::from_fn(|| taken.try_recv().ok()).count(), 8);
}

fn node(checks: &'static [(&'static str, u16)]) -> impl Fn(&str) -> (u16, String) {
    move |target| {
        let found = checks.iter().find(|(path, _)| target == format!("/api/{path}"));
        found.map_or((200, "[]".to_owned()), |(_, status)| (*status, "\"told\"".to_owned()))
    }
}

#[tokio::test]
async fn of_several_the_first_that_leads_is_asked() {
    let (follower, leader) = (Fake::new(node(&[("leader-check", 404)])).await, Fake::new(node(&[])).await);
    let (down, third) = (nobody().await, Fake::new(node(&[])).await);
    let api = format!("{down} {}/ {}/api {}", follower.url, leader.url, third.url);
    let ending = line("-c clusters", "http://nosuch.invalid").await;
    assert_eq!(ending.code, 1);
    let ending = run(&["-c", "clusters"], &[("ORCHESTRATOR_API", &api)]).await;
    assert_eq!((ending.stderr.as_str(), ending.code), ("", 0));
    assert_eq!(follower.targets(), ["/api/leader-check"]);
    assert_eq!(leader.targets(), ["/api/leader-check", "/api/clusters-info"]);
    assert_eq!(third.targets(), Vec::<String>::new());
    let ending = run(&["-c", "which-api"], &[("ORCHESTRATOR_API", &api)]).await;
    assert_eq!(ending.stdout, format!("{}/api\n", leader.url));
}

#[tokio::test]
async fn when_none_leads_the_first_that_leads_on_is_asked() {
    let far = Fake::new(node(&[("leader-check", 404), ("routed-leader-check", 502)])).await;
    let near = Fake::new(node(&[("leader-check", 404)])).await;
    let api = format!("{} {}", far.url, near.url);
    let ending = run(&["-c", "which-api"], &[("ORCHESTRATOR_API", &api)]).await;
    assert_eq!((ending.stdout, ending.code), (format!("{}/api\n", near.url), 0));
    assert_eq!(far.targets(), ["/api/leader-check", "/api/routed-leader-check"]);
}

#[tokio::test]
async fn when_nobody_knows_a_leader_each_is_named_with_its_answer() {
    let other = Fake::new(node(&[("leader-check", 404), ("routed-leader-check", 404)])).await;
    let down = nobody().await;
    let api = format!("{} {down}", other.url.replace("http://", "http://dba:secret@"));
    let ending = run(&["-c", "discover", "-i", "db1"], &[("ORCHESTRATOR_API", &api)]).await;
    assert_eq!((ending.stdout.as_str(), ending.code), ("", 1));
    for part in ["none of the addresses given", "answered 404 Not Found", &format!("{down}/api: ")] {
        assert!(ending.stderr.contains(part), "{part}: {}", ending.stderr);
    }
    assert!(!ending.stderr.contains("secret"), "{}", ending.stderr);
    assert_eq!(other.targets(), ["/api/leader-check", "/api/routed-leader-check"]);
    let strict = Fake::saying(401, "Not Authorized").await;
    let api = format!("{} {down}", strict.url);
    let ending = run(&["-c", "clusters"], &[("ORCHESTRATOR_API", &api)]).await;
    assert!(ending.stderr.contains("access denied (401 Unauthorized) by http://127.0.0.1:"), "{}", ending.stderr);
    assert_eq!(ending.code, 1);
}

#[tokio::test]
async fn what_is_for_the_leader_of_a_raft_group_is_not_asked_of_others() {
    let follower = Fake::new(|target| match target {
        "/api/raft-state" => (200, "\"Follower\"".to_owned()),
        _ => (200, "\"asked\"".to_owned()),
    })
    .await;
    let ending = line("-c raft-elect-leader -H orc2", &follower.url).await;
    assert_eq!((ending.stdout.as_str(), ending.code), ("", 1));
    assert!(ending.stderr.contains("says that it is \"Follower\""), "{}", ending.stderr);
    assert_eq!(follower.targets(), ["/api/raft-state"]);
}

#[tokio::test]
async fn two_ways_to_say_who_asks_are_one_too_many() {
    let variables = [("ORCHESTRATOR_AUTH_TOKEN", "t0ken"), ("ORCHESTRATOR_AUTH_USER", "dba")];
    let ending = run(&["-c", "clusters"], &variables).await;
    assert_eq!(ending.code, 1);
    assert!(
        ending.stderr.contains("ORCHESTRATOR_AUTH_TOKEN and") && !ending.stderr.contains("t0ken"),
        "{}",
        ending.stderr
    );
}
