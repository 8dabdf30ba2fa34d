//! Users and tokens by command.

use app::api::Role;
use orchestrator::auth::TOKEN_PREFIX;

use crate::support::Desk;

const PASSWORD: &str = "correct horse battery";

#[tokio::test]
async fn users_are_made_changed_and_removed() {
    let desk = Desk::new().await;
    desk.configure(&serde_json::json!({"AuthenticationMethod": "local"}));
    let said = desk.line_with(&format!("{PASSWORD}\n"), "-c create-user -user ann -role admin");
    assert_eq!((said.out.as_str(), said.code), ("ann\n", 0), "{}", said.err);
    let said = desk.line_with(PASSWORD, "-c create-user -user bob -role operator -clusters orders*,users");
    assert_eq!((said.out.as_str(), said.code), ("bob\n", 0), "{}", said.err);
    let listed = desk.line("-c users").out;
    assert!(
        listed.contains("ann\tadmin\tall clusters\t") && listed.contains("bob\toperator\torders*,users\t"),
        "{listed}"
    );

    let store = desk.store().await;
    let before = store.load_accounts().await.expect("read").users;
    store.close().await;
    assert_eq!(before.iter().find(|user| user.name == "ann").map(|user| user.role), Some(Role::Admin));
    assert!(before.iter().all(|user| user.password_hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$")));
    assert_eq!(desk.line_with("another password\n", "-c set-password -user bob").out, "bob\n");
    assert_eq!(desk.line("-c delete-user -user ann").out, "ann\n");
    let store = desk.store().await;
    let after = store.load_accounts().await.expect("read").users;
    store.close().await;
    assert_eq!(after.len(), 1);
    assert_ne!(
        after.first().map(|user| &user.password_hash),
        before.iter().find(|user| user.name == "bob").map(|u| &u.password_hash)
    );
    let audit = desk.world().await.audit;
    for kind in ["create-user", "set-password", "delete-user"] {
        assert!(audit.iter().any(|(of, _, actor)| of == kind && actor.starts_with("cli:")), "{kind}: {audit:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_taken_is_refused_and_passwords_are_not_shown() {
    let desk = Desk::new().await;
    desk.configure(&serde_json::json!({"AuthenticationMethod": "local"}));
    for (input, line, words) in [
        ("", "-c create-user -user ann", "on standard input"),
        ("tiny\n", "-c create-user -user ann", "10 characters"),
        (PASSWORD, "-c create-user", "expected -user NAME"),
        (PASSWORD, "-c create-user -user a/b", "letters, digits"),
        (PASSWORD, "-c create-user -user ann -role root", "expected viewer, operator or admin, got \"root\""),
        (PASSWORD, "-c create-user -user ann -role admin -clusters a", "cannot be limited"),
        (PASSWORD, "-c set-password -user ann", "there is no user \"ann\""),
        ("", "-c delete-user -user ann", "there is no user \"ann\""),
        ("", "-noop -c delete-user -user ann", "noop"),
        ("", "-c create-token", "-name"),
        ("", "-c create-token -name ci -user ann", "there is no user \"ann\""),
        ("", "-c create-token -name ci -days never", "-days: expected 1 to"),
        ("", "-c revoke-token -name ci", "there is no token \"ci\""),
    ] {
        let said = desk.line_with(input, line);
        assert_eq!((said.out.as_str(), said.code), ("", 1), "{line}: {}", said.err);
        assert!(said.err.contains(words), "{line}: {}", said.err);
        assert!(!said.err.contains("tiny") && !said.err.contains(PASSWORD), "{}", said.err);
    }
    assert_eq!(desk.line("-c users").out, "");
}

#[tokio::test]
async fn tokens_are_made_listed_and_revoked() {
    let desk = Desk::new().await;
    let said = desk.line("-c create-token -name ci -role operator -clusters orders -days 30");
    let secret = said.out.trim().to_owned();
    assert!(secret.starts_with(TOKEN_PREFIX) && said.code == 0, "{}", said.err);
    assert!(desk.line("-c create-token -name ci").err.contains("already"));
    let listed = desk.line("-c tokens").out;
    let id = listed.split('\t').next().expect("an identity").to_owned();
    assert!(secret.contains(&id) && !listed.contains(&secret), "{listed}");
    assert!(
        listed.contains("\tci\tcli:") && listed.contains("\toperator\torders\t") && listed.contains("never used"),
        "{listed}"
    );
    assert_eq!(desk.line(&format!("-c revoke-token -name {id}")).out, format!("{id}\n"));
    assert_eq!(desk.line("-c tokens").out, "");
    let audit = desk.world().await.audit;
    assert!(["create-token", "revoke-token"].iter().all(|kind| audit.iter().any(|(of, ..)| of == kind)), "{audit:?}");
}
