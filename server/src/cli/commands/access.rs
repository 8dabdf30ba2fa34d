//! Users and API tokens. Passwords come on standard input: arguments are seen by everybody on the machine.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use app::access::{LONGEST_PASSWORD, check_label, check_limit, check_name, check_password};
use app::api::Role;
use chrono::{DateTime, TimeDelta, Utc};

use crate::auth::{COMMAND_LINE, blank_user, fresh_token, hash_password};
use crate::cli::bench::{Bench, Failure, Outcome, lines};
use crate::config::AuthMethod;
use crate::consensus::{Command, PasswordHashText};
use crate::store::{TokenRecord, UserRecord};

/// A token lives at most so many days, if it has an end.
const MOST_DAYS: i64 = 3_650;

/// `create-user -user NAME [-role ROLE] [-clusters LIST]`, password on standard input
pub async fn create_user(bench: Bench) -> Outcome {
    let (name, role) = (named_user(&bench)?, role(&bench, Role::Viewer)?);
    let clusters = clusters(&bench, role)?;
    check_name("-user", &name).map_err(Failure::new)?;
    if bench.services.consensus.accounts().user(&name).is_some() {
        return Err(Failure::new(format!(
            "there is a user {name} already; see set-password, delete-user and the page"
        )));
    }
    let password_hash = new_password(&name).await?;
    let user = UserRecord { password_hash, ..blank_user(&name, role, &clusters, Utc::now()) };
    submit(&bench, Command::PutUser { user: Box::new(user), is_new: true }).await?;
    warn_unless_local(&bench);
    Ok(format!("{name}\n"))
}

/// `set-password -user NAME`, password on standard input: all sessions of the user end
pub async fn set_password(bench: Bench) -> Outcome {
    let user = known_user(&bench)?;
    let hash = PasswordHashText(new_password(&user.name).await?);
    let (name, at) = (user.name.clone(), Utc::now());
    submit(&bench, Command::SetPassword { name, hash, at, is_new: true, keep_session: String::new() }).await?;
    Ok(format!("{}\n", user.name))
}

/// `delete-user -user NAME`
pub async fn delete_user(bench: Bench) -> Outcome {
    let user = known_user(&bench)?;
    if user.role == Role::Admin && !bench.services.consensus.accounts().has_other_admin(&user.name) {
        tracing::warn!("{} was the only administrator; make another one with create-user -role admin", user.name);
    }
    submit(&bench, Command::DeleteUser { name: user.name.clone() }).await?;
    Ok(format!("{}\n", user.name))
}

/// `users`: name, role, clusters, and when the password was set
pub async fn users(bench: Bench) -> Outcome {
    Ok(lines(bench.services.consensus.accounts().users().into_iter().map(|user| {
        format!(
            "{}\t{}\t{}\t{}",
            user.name,
            role_word(user.role),
            limit_word(&user.clusters),
            moment(Some(user.password_set))
        )
    })))
}

/// `create-token -name NAME [-user USER] [-role ROLE] [-clusters LIST] [-days N]`: prints the token, this once
pub async fn create_token(bench: Bench) -> Outcome {
    let arguments = &bench.arguments;
    let role = role(&bench, Role::Viewer)?;
    let clusters = clusters(&bench, role)?;
    check_label("-name", &arguments.name).map_err(Failure::new)?;
    let (owner, owner_method) = match arguments.user.as_str() {
        "" => (format!("cli:{}", bench.user), COMMAND_LINE.to_owned()),
        _ => (known_user(&bench)?.name, "local".to_owned()),
    };
    let tokens = bench.services.consensus.accounts().tokens();
    if tokens.iter().any(|token| token.owner == owner && token.name == arguments.name) {
        return Err(Failure::new(format!("{owner} has a token of the name {} already; see tokens", arguments.name)));
    }
    let now = Utc::now();
    let fresh = fresh_token();
    let token = TokenRecord {
        id: fresh.id,
        name: arguments.name.clone(),
        owner,
        owner_method,
        secret_hash: fresh.digest,
        role,
        clusters,
        created: now,
        ends: end(&arguments.days, now)?,
        used: None,
        used_from: String::new(),
    };
    submit(&bench, Command::PutToken { token: Box::new(token) }).await?;
    Ok(format!("{}\n", fresh.secret))
}

/// `tokens`: identity, name, owner, role, clusters, end, last use
pub async fn tokens(bench: Bench) -> Outcome {
    let mut tokens = bench.services.consensus.accounts().tokens();
    tokens.sort_by(|a, b| (&a.owner, &a.name).cmp(&(&b.owner, &b.name)));
    Ok(lines(tokens.into_iter().map(|token| {
        let TokenRecord { id, name, owner, role, clusters, ends, used, used_from, .. } = token;
        let end = ends.map_or_else(|| "never".to_owned(), |end| moment(Some(end)));
        let (role, limit) = (role_word(role), limit_word(&clusters));
        format!("{id}\t{name}\t{owner}\t{role}\t{limit}\t{end}\t{} {used_from}", moment(used)).trim_end().to_owned()
    })))
}

/// `revoke-token -name IDENTITY`: by what `tokens` lists first, or by a name that only one has
pub async fn revoke_token(bench: Bench) -> Outcome {
    let text = bench.arguments.name.as_str();
    if text.is_empty() {
        return Err(Failure::new(
            "expected -name with the identity or name of a token (see tokens), which is not given",
        ));
    }
    let tokens = bench.services.consensus.accounts().tokens();
    let by_id = tokens.iter().find(|token| token.id == text);
    let mut by_name = tokens.iter().filter(|token| token.name == text);
    let token = match (by_id, by_name.next(), by_name.next()) {
        (Some(token), ..) | (None, Some(token), None) => token,
        (None, None, _) => return Err(Failure::new(format!("there is no token {text:?}; see tokens"))),
        (None, Some(_), Some(_)) => {
            return Err(Failure::new(format!("several tokens have the name {text:?}; give its identity (see tokens)")));
        }
    };
    submit(&bench, Command::DeleteToken { id: token.id.clone(), name: token.name.clone() }).await?;
    Ok(format!("{}\n", token.id))
}

async fn submit(bench: &Bench, command: Command) -> Result<(), Failure> {
    bench.services.consensus.submit(command, &bench.actor()).await.map_err(Failure::new)
}

fn warn_unless_local(bench: &Bench) {
    let auth = &bench.config.auth;
    if auth.method() != Ok(AuthMethod::Local) {
        let method = &auth.authentication_method;
        tracing::warn!("AuthenticationMethod is {method:?} in this configuration; users log in with \"local\" only");
    }
}

fn named_user(bench: &Bench) -> Result<String, Failure> {
    match bench.arguments.user.trim() {
        "" => Err(Failure::new("expected -user NAME, which is not given")),
        name => Ok(name.to_owned()),
    }
}

fn known_user(bench: &Bench) -> Result<UserRecord, Failure> {
    let name = named_user(bench)?;
    let user = bench.services.consensus.accounts().user(&name);
    user.ok_or_else(|| Failure::new(format!("there is no user {name:?}; see users")))
}

fn role(bench: &Bench, default: Role) -> Result<Role, Failure> {
    match bench.arguments.role.as_str() {
        "" => Ok(default),
        "viewer" => Ok(Role::Viewer),
        "operator" => Ok(Role::Operator),
        "admin" => Ok(Role::Admin),
        other => Err(Failure::new(format!("-role: expected viewer, operator or admin, got {other:?}"))),
    }
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer",
        Role::Operator => "operator",
        Role::Admin => "admin",
    }
}

fn clusters(bench: &Bench, role: Role) -> Result<Vec<String>, Failure> {
    let given = bench.arguments.clusters.split(',').map(str::trim).filter(|pattern| !pattern.is_empty());
    let patterns: Vec<String> = given.map(str::to_owned).collect();
    check_limit(role, &patterns).map_err(Failure::new)?;
    Ok(patterns)
}

fn limit_word(clusters: &[String]) -> String {
    if clusters.is_empty() { "all clusters".to_owned() } else { clusters.join(",") }
}

fn end(days: &str, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Failure> {
    if days.is_empty() {
        return Ok(None);
    }
    match days.parse::<i64>() {
        Ok(count) if (1..=MOST_DAYS).contains(&count) => Ok(Some(now + TimeDelta::days(count))),
        _ => Err(Failure::new(format!("-days: expected 1 to {MOST_DAYS}, got {days:?}"))),
    }
}

fn moment(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| "never used".to_owned(), |at| at.format("%Y-%m-%d %H:%M:%S").to_string())
}

/// The hash of the password on standard input.
async fn new_password(user: &str) -> Result<String, Failure> {
    let user = user.to_owned();
    let work = tokio::task::spawn_blocking(move || {
        let password = read_password()?;
        check_password(&user, &password).map_err(Failure::new)?;
        hash_password(&password).map_err(Failure::new)
    });
    work.await.map_err(Failure::new)?
}

/// The first line of standard input; typed on a terminal it is not shown.
fn read_password() -> Result<String, Failure> {
    let stdin = std::io::stdin();
    let _hidden = if stdin.is_terminal() {
        let hidden = Echo::off()?;
        // Nobody reads the answer to this, and without it the question would only be missing.
        let _shown = write!(std::io::stderr(), "Password: ");
        Some(hidden)
    } else {
        None
    };
    let mut line = String::new();
    let limit = u64::try_from(LONGEST_PASSWORD + 2).unwrap_or(u64::MAX);
    let read = std::io::Read::take(stdin.lock(), limit).read_line(&mut line);
    read.map_err(|error| Failure::new(format!("cannot read the password from standard input: {error}")))?;
    let password = line.strip_suffix('\n').map_or(line.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if password.is_empty() {
        return Err(Failure::new("expected the password on standard input, got nothing"));
    }
    Ok(password.to_owned())
}

/// Keeps the terminal from showing what is typed, as long as it lives.
struct Echo {
    before: rustix::termios::Termios,
}

impl Echo {
    fn off() -> Result<Self, Failure> {
        let failed = |error| Failure::new(format!("cannot keep the terminal from showing the password: {error}"));
        let before = rustix::termios::tcgetattr(std::io::stdin()).map_err(failed)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(rustix::termios::LocalModes::ECHO);
        rustix::termios::tcsetattr(std::io::stdin(), rustix::termios::OptionalActions::Now, &quiet).map_err(failed)?;
        Ok(Self { before })
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let now = rustix::termios::OptionalActions::Now;
        // The terminal is going away when this fails.
        let _restored = rustix::termios::tcsetattr(std::io::stdin(), now, &self.before);
        let _shown = writeln!(std::io::stderr());
    }
}
