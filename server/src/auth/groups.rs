//! Groups of this machine's operating system (`PowerAuthGroups`).

use std::ffi::CString;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use nix::unistd::{Group, User, getgrouplist};
use tokio::sync::Semaphore;

/// A member stays one for this long after having left, and the other way round: a page asks for many things at once, and a
/// directory service should not be asked for each.
const REMEMBERED: Duration = Duration::from_secs(10);

/// Users remembered at the same time.
const MOST_USERS: u64 = 1_000;

/// Questions to the operating system at the same time. A directory service that does not answer holds no more threads than these.
const AT_ONCE: usize = 4;

/// Who has had no answer by then is no member.
const PATIENCE: Duration = Duration::from_secs(2);

/// Knows who is in which group.
#[derive(Debug)]
pub(super) struct Groups {
    known: Cache<(String, Vec<String>), bool>,
    at_work: Arc<Semaphore>,
}

impl Groups {
    pub(super) fn new() -> Self {
        let known = Cache::builder().max_capacity(MOST_USERS).time_to_live(REMEMBERED).build();
        Self { known, at_work: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Whether this user of the operating system is in one of the groups. Who cannot be looked up is not.
    pub(super) async fn has_member(&self, groups: &[String], user: &str) -> bool {
        if groups.is_empty() {
            return false;
        }
        let question = (user.to_owned(), groups.to_vec());
        if let Some(known) = self.known.get(&question) {
            return known;
        }
        let is_member = match tokio::time::timeout(PATIENCE, self.ask(question.clone())).await {
            Ok(Ok(is_member)) => is_member,
            Ok(Err(error)) => {
                tracing::warn!(user, %error, "cannot look up the groups of a user; PowerAuthGroups gives no rights now");
                false
            }
            Err(_) => {
                tracing::warn!(
                    user,
                    "looking up the groups of a user takes too long; PowerAuthGroups gives no rights now"
                );
                false
            }
        };
        // Also when nobody answered: not every request waits for a directory that is away.
        self.known.insert(question, is_member);
        is_member
    }

    async fn ask(&self, (user, groups): (String, Vec<String>)) -> std::io::Result<bool> {
        let turn = Arc::clone(&self.at_work).acquire_owned().await.map_err(std::io::Error::other)?;
        let asked = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            is_member(&user, &groups)
        });
        asked.await.map_err(std::io::Error::other)?
    }
}

/// Blocks while the operating system looks it up, in files or at a directory service.
fn is_member(user: &str, groups: &[String]) -> std::io::Result<bool> {
    // A name that holds a NUL is nobody's.
    let Ok(name) = CString::new(user) else { return Ok(false) };
    let Some(known) = User::from_name(user)? else { return Ok(false) };
    let of_user = getgrouplist(&name, known.gid)?;
    for group in groups {
        if group.contains('\0') {
            continue;
        }
        if Group::from_name(group)?.is_some_and(|group| of_user.contains(&group.gid)) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::own("root", &["nosuchgroup", "root"], true)]
    #[case::of_another("daemon", &["root"], false)]
    #[case::unknown_user("nosuchuser", &["root"], false)]
    #[case::unknown_group("root", &["nosuchgroup"], false)]
    #[case::no_groups("root", &[], false)]
    #[case::no_user("", &["root"], false)]
    #[case::no_text("ro\0ot", &["root"], false)]
    #[tokio::test]
    async fn members_are_those_of_the_operating_system(
        #[case] user: &str,
        #[case] groups: &[&str],
        #[case] expected: bool,
    ) {
        let list: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
        let groups = Groups::new();
        for _ in 0..2 {
            assert_eq!(groups.has_member(&list, user).await, expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_cannot_be_looked_up_in_time_is_no_member() {
        let groups = Groups::new();
        let held = Arc::clone(&groups.at_work).acquire_many_owned(u32::try_from(AT_ONCE).unwrap()).await.unwrap();
        assert!(!groups.has_member(&["root".to_owned()], "root").await);
        drop(held);
    }
}
