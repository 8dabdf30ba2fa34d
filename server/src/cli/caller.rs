//! Who called the program: the user of the operating system.

use std::fs;

/// Name of the user this process runs as; the number when the system has no name for it.
pub fn os_user() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let Some(id) = user_id(&status) else { return "unknown".to_owned() };
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_of(&users, id).unwrap_or(id).to_owned()
}

/// The effective user in the kernel's words: `Uid:` real, effective, saved, file system.
fn user_id(status: &str) -> Option<&str> {
    status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_whitespace().nth(1)
}

fn name_of<'a>(users: &'a str, id: &str) -> Option<&'a str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        (fields.nth(1) == Some(id)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named_by_the_system() {
        assert_eq!(user_id("Name:\tx\nUid:\t1000\t1001\t1000\t1000\nGid:\t5\t5\t5\t5\n"), Some("1001"));
        assert_eq!(user_id("garbage"), None);
        let users = "root:x:0:0:root:/root:/bin/sh\n\ndba:x:1001:100::/home/dba:/bin/sh\n";
        assert_eq!(name_of(users, "1001"), Some("dba"));
        assert_eq!(name_of(users, "7"), None);
    }

    #[test]
    fn this_process_has_a_user() {
        assert!(!os_user().is_empty());
    }
}
