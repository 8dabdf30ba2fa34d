//! Users, sessions and tokens, as each backend keeps them.

use app::api::Role;
use chrono::{DateTime, TimeDelta, Utc};
use orchestrator::auth::blank_user;
use orchestrator::store::{SessionRecord, Store, TokenRecord, UserRecord};

/// A moment as backends keep it: to the second.
fn moment(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap() + TimeDelta::minutes(minutes)
}

fn session(id: &str, user: &str) -> SessionRecord {
    SessionRecord {
        id: id.repeat(64),
        user: user.to_owned(),
        csrf_token: "c".repeat(64),
        address: "[2001:db8::1]:65535".to_owned(),
        agent: format!("Mozilla/5.0 (日本) {}", "x".repeat(180)),
        created: moment(0),
        seen: moment(0),
        ends: moment(100),
    }
}

fn token(id: &str, owner: &str, ends: Option<DateTime<Utc>>) -> TokenRecord {
    TokenRecord {
        id: id.to_owned(),
        name: "ci".to_owned(),
        owner: owner.to_owned(),
        owner_method: "local".to_owned(),
        secret_hash: "d".repeat(64),
        role: Role::Operator,
        clusters: vec!["bücher-*".to_owned()],
        created: moment(0),
        ends,
        used: None,
        used_from: String::new(),
    }
}

/// The story.
pub async fn accounts_are_kept(store: &Store) {
    let ann = UserRecord {
        password_hash: "$argon2id$x".to_owned(),
        ..blank_user("ann", Role::Operator, &["a*".to_owned()], moment(0))
    };
    let other = UserRecord { role: Role::Admin, ..blank_user("Ann", Role::Admin, &[], moment(1)) };
    for user in [&ann, &other] {
        store.put_user(user).await.expect("a user");
    }
    for row in [session("a", "ann"), session("b", "ann"), session("c", "Ann")] {
        store.put_session(&row).await.expect("a session");
    }
    for row in [token("aaaaaaaaaaaa", "ann", None), token("AAAAAAAAAAAA", "Ann", Some(moment(50)))] {
        store.put_token(&row).await.expect("a token");
    }
    let mut rows = store.load_accounts().await.expect("read");
    rows.users.sort_by(|a, b| b.name.cmp(&a.name));
    assert_eq!(rows.users, [ann.clone(), other.clone()], "names differ by case");
    assert_eq!((rows.sessions.len(), rows.tokens.len()), (3, 2), "and so do identities");
    assert_eq!(store.session(&"a".repeat(64)).await.expect("read"), Some(session("a", "ann")));

    store.touch_session(&"a".repeat(64), moment(7)).await.expect("touched");
    store.touch_session(&"a".repeat(64), moment(3)).await.expect("late, and no news");
    store.touch_session(&"z".repeat(64), moment(7)).await.expect("nobody's");
    assert_eq!(store.session(&"a".repeat(64)).await.expect("read").map(|s| s.seen), Some(moment(7)));
    store.touch_token("aaaaaaaaaaaa", moment(9), "192.0.2.1:80").await.expect("touched");
    let used =
        store.load_accounts().await.expect("read").tokens.into_iter().find(|t| t.owner == "ann").expect("a token");
    assert_eq!((used.used, used.used_from.as_str(), used.ends), (Some(moment(9)), "192.0.2.1:80", None));
    assert_eq!(used.clusters, ["bücher-*"]);

    store.set_password("ann", "$argon2id$y", None).await.expect("set");
    store.set_password("Ann", "$argon2id$z", Some(moment(5))).await.expect("set");
    store.delete_sessions_of("ann", &"b".repeat(64)).await.expect("ended");
    let rows = store.load_accounts().await.expect("read");
    let set: Vec<_> = rows.users.iter().map(|u| (u.name.as_str(), u.password_hash.as_str(), u.password_set)).collect();
    assert!(
        set.contains(&("ann", "$argon2id$y", moment(0))) && set.contains(&("Ann", "$argon2id$z", moment(5))),
        "{set:?}"
    );
    assert_eq!(rows.sessions.len(), 2);

    store.purge_accounts(moment(99), moment(60)).await.expect("purged");
    let rows = store.load_accounts().await.expect("read");
    assert_eq!((rows.sessions.len(), rows.tokens.len()), (2, 1), "one token ended at 50, one has no end");
    store.delete_user("ann").await.expect("gone");
    let rows = store.load_accounts().await.expect("read");
    assert_eq!((rows.users.len(), rows.sessions.len(), rows.tokens.len()), (1, 1, 0), "with sessions and tokens");
    store.delete_session(&"c".repeat(64)).await.expect("ended");
    store.delete_user("Ann").await.expect("gone");
    store.delete_token("nobody's").await.expect("nothing to do");
    let rows = store.load_accounts().await.expect("read");
    assert!(rows.users.is_empty() && rows.sessions.is_empty() && rows.tokens.is_empty());
}
