//! Users, sessions and API tokens.

use std::fmt;

use app::api::Role;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::value::{Row, Statement};
use super::{Store, StoreResult};

/// A user of the service.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRecord {
    /// Name.
    pub name: String,
    /// Argon2 hash of the password, in PHC form.
    pub password_hash: String,
    /// What they may do.
    pub role: Role,
    /// Patterns of the clusters that they may change; all when empty.
    pub clusters: Vec<String>,
    /// Made.
    pub created: DateTime<Utc>,
    /// The password was set.
    pub password_set: DateTime<Utc>,
}

/// A session of a user.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// Digest of what the cookie holds, as hexadecimal digits.
    pub id: String,
    /// Whose.
    pub user: String,
    /// What the page sends with each change.
    pub csrf_token: String,
    /// Address it was begun from.
    pub address: String,
    /// What the browser calls itself.
    pub agent: String,
    /// Begun.
    pub created: DateTime<Utc>,
    /// Last request.
    pub seen: DateTime<Utc>,
    /// When it ends at the latest.
    pub ends: DateTime<Utc>,
}

/// An API token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// The part of it by which it is found.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// Who made it.
    pub owner: String,
    /// By which method that was told; `cli` for the command line.
    pub owner_method: String,
    /// Digest of the whole token, as hexadecimal digits.
    pub secret_hash: String,
    /// What its holder may do, as far as its maker may.
    pub role: Role,
    /// Patterns of the clusters that its holder may change; those of its maker when empty.
    pub clusters: Vec<String>,
    /// Made.
    pub created: DateTime<Utc>,
    /// When it ends; `None` for never.
    pub ends: Option<DateTime<Utc>>,
    /// Last request.
    pub used: Option<DateTime<Utc>>,
    /// Address of that.
    pub used_from: String,
}

/// Everything that is on record of who may do what.
#[derive(Debug, Clone, Default)]
pub struct AccountRows {
    /// Users.
    pub users: Vec<UserRecord>,
    /// Sessions.
    pub sessions: Vec<SessionRecord>,
    /// Tokens.
    pub tokens: Vec<TokenRecord>,
}

impl fmt::Debug for UserRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, role, clusters, .. } = self;
        f.debug_struct("UserRecord")
            .field("name", name)
            .field("role", role)
            .field("clusters", clusters)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SessionRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionRecord")
            .field("user", &self.user)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for TokenRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, name, owner, role, .. } = self;
        f.debug_struct("TokenRecord")
            .field("id", id)
            .field("name", name)
            .field("owner", owner)
            .field("role", role)
            .finish_non_exhaustive()
    }
}

const USER: [&str; 6] = ["name", "password_hash", "role", "clusters", "created_at", "password_set_at"];
const SESSION: [&str; 8] = ["id", "user_name", "csrf_token", "address", "agent", "created_at", "seen_at", "ends_at"];
const TOKEN: [&str; 11] = [
    "id",
    "name",
    "owner",
    "owner_method",
    "secret_hash",
    "role",
    "clusters",
    "created_at",
    "ends_at",
    "used_at",
    "used_from",
];

impl Store {
    /// Everything on record.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn load_accounts(&self) -> StoreResult<AccountRows> {
        let all = |columns: &[&str], table: &str| Statement::new(format!("select {} from {table}", columns.join(", ")));
        let users = self.rows(all(&USER, "orchestrator_user")).await?;
        let sessions = self.rows(all(&SESSION, "orchestrator_session")).await?;
        let tokens = self.rows(all(&TOKEN, "orchestrator_token")).await?;
        Ok(AccountRows {
            users: users.iter().map(user_of).collect(),
            sessions: sessions.iter().map(session_of).collect(),
            tokens: tokens.iter().map(token_of).collect(),
        })
    }

    /// Keeps a user as they are now.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn put_user(&self, user: &UserRecord) -> StoreResult<()> {
        let statement = Statement::new(self.dialect().upsert("orchestrator_user", &["name"], &USER, &[], 1))
            .bind(&user.name)
            .bind(&user.password_hash)
            .bind(role_text(user.role))
            .bind(list_text(&user.clusters))
            .bind(user.created)
            .bind(user.password_set);
        self.run(statement).await.map(drop)
    }

    /// Sets a password's hash, and when the password was set unless it is the same one.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn set_password(&self, name: &str, hash: &str, at: Option<DateTime<Utc>>) -> StoreResult<()> {
        let sql = "update orchestrator_user set password_hash = ?, password_set_at = coalesce(?, password_set_at) where name = ?";
        self.run(Statement::new(sql).bind(hash).bind(at).bind(name)).await.map(drop)
    }

    /// Removes a user with all their sessions and tokens.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn delete_user(&self, name: &str) -> StoreResult<()> {
        let mut tx = self.begin().await?;
        tx.run(Statement::new("delete from orchestrator_session where user_name = ?").bind(name)).await?;
        let sql = "delete from orchestrator_token where owner = ? and owner_method = 'local'";
        tx.run(Statement::new(sql).bind(name)).await?;
        tx.run(Statement::new("delete from orchestrator_user where name = ?").bind(name)).await?;
        tx.commit().await
    }

    /// Keeps a session.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn put_session(&self, session: &SessionRecord) -> StoreResult<()> {
        let statement = Statement::new(self.dialect().upsert("orchestrator_session", &["id"], &SESSION, &[], 1))
            .bind(&session.id)
            .bind(&session.user)
            .bind(&session.csrf_token)
            .bind(self.fit(&session.address, 64))
            .bind(self.fit(&session.agent, 255))
            .bind(session.created)
            .bind(session.seen)
            .bind(session.ends);
        self.run(statement).await.map(drop)
    }

    /// A session by its digest.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn session(&self, id: &str) -> StoreResult<Option<SessionRecord>> {
        let sql = format!("select {} from orchestrator_session where id = ?", SESSION.join(", "));
        Ok(self.row(Statement::new(sql).bind(id)).await?.as_ref().map(session_of))
    }

    /// Notes when a session was seen last. One that has ended stays ended.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn touch_session(&self, id: &str, seen: DateTime<Utc>) -> StoreResult<()> {
        let sql = "update orchestrator_session set seen_at = ? where id = ? and seen_at < ?";
        self.run(Statement::new(sql).bind(seen).bind(id).bind(seen)).await.map(drop)
    }

    /// Ends a session.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn delete_session(&self, id: &str) -> StoreResult<()> {
        self.run(Statement::new("delete from orchestrator_session where id = ?").bind(id)).await.map(drop)
    }

    /// Ends all sessions of a user but one; all of them with an empty digest.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn delete_sessions_of(&self, user: &str, but: &str) -> StoreResult<()> {
        let sql = "delete from orchestrator_session where user_name = ? and id <> ?";
        self.run(Statement::new(sql).bind(user).bind(but)).await.map(drop)
    }

    /// Throws away sessions and tokens that ended before a moment.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn purge_accounts(
        &self,
        sessions_before: DateTime<Utc>,
        tokens_before: DateTime<Utc>,
    ) -> StoreResult<()> {
        let sql = "delete from orchestrator_session where ends_at < ?";
        self.run(Statement::new(sql).bind(sessions_before)).await?;
        let sql = "delete from orchestrator_token where ends_at is not null and ends_at < ?";
        self.run(Statement::new(sql).bind(tokens_before)).await.map(drop)
    }

    /// Keeps a token.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn put_token(&self, token: &TokenRecord) -> StoreResult<()> {
        let statement = Statement::new(self.dialect().upsert("orchestrator_token", &["id"], &TOKEN, &[], 1))
            .bind(&token.id)
            .bind(&token.name)
            .bind(self.fit(&token.owner, 128))
            .bind(&token.owner_method)
            .bind(&token.secret_hash)
            .bind(role_text(token.role))
            .bind(list_text(&token.clusters))
            .bind(token.created)
            .bind(token.ends)
            .bind(token.used)
            .bind(self.fit(&token.used_from, 64));
        self.run(statement).await.map(drop)
    }

    /// Notes when a token was used last. One that was revoked stays so.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn touch_token(&self, id: &str, used: DateTime<Utc>, from: &str) -> StoreResult<()> {
        let sql = "update orchestrator_token set used_at = ?, used_from = ? where id = ?";
        self.run(Statement::new(sql).bind(used).bind(self.fit(from, 64)).bind(id)).await.map(drop)
    }

    /// Revokes a token.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn delete_token(&self, id: &str) -> StoreResult<()> {
        self.run(Statement::new("delete from orchestrator_token where id = ?").bind(id)).await.map(drop)
    }
}

/// A role as the backend has it.
fn role_text(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer",
        Role::Operator => "operator",
        Role::Admin => "admin",
    }
}

/// What cannot be read has the least right.
fn role_of(text: &str) -> Role {
    match text {
        "admin" => Role::Admin,
        "operator" => Role::Operator,
        _ => Role::Viewer,
    }
}

fn list_text(list: &[String]) -> String {
    serde_json::Value::from(list.to_vec()).to_string()
}

/// A limit that cannot be read must not become none: it is one that no cluster matches.
fn list_of(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|_| vec![String::new()])
}

fn user_of(row: &Row) -> UserRecord {
    UserRecord {
        name: row.text("name"),
        password_hash: row.text("password_hash"),
        role: role_of(&row.text("role")),
        clusters: list_of(&row.text("clusters")),
        created: row.time_or_epoch("created_at"),
        password_set: row.time_or_epoch("password_set_at"),
    }
}

fn session_of(row: &Row) -> SessionRecord {
    SessionRecord {
        id: row.text("id"),
        user: row.text("user_name"),
        csrf_token: row.text("csrf_token"),
        address: row.text("address"),
        agent: row.text("agent"),
        created: row.time_or_epoch("created_at"),
        seen: row.time_or_epoch("seen_at"),
        ends: row.time_or_epoch("ends_at"),
    }
}

fn token_of(row: &Row) -> TokenRecord {
    TokenRecord {
        id: row.text("id"),
        name: row.text("name"),
        owner: row.text("owner"),
        owner_method: row.text("owner_method"),
        secret_hash: row.text("secret_hash"),
        role: role_of(&row.text("role")),
        clusters: list_of(&row.text("clusters")),
        created: row.time_or_epoch("created_at"),
        ends: row.time("ends_at"),
        used: row.time("used_at"),
        used_from: row.text("used_from"),
    }
}
