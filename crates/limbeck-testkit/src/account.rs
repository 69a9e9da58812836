//! The account a server runs as: our own, or another one when we are root, since PostgreSQL refuses to run as root.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::error::TestkitError;

/// Accounts that may run the server when we are root. Distributions' packages create `postgres`.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// Who runs the server.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Account {
    /// Ourselves.
    Own { uid: u32 },
    /// Another account, which only root may use.
    Other { uid: u32, gid: u32 },
}

impl Account {
    /// Chooses the account for this process.
    pub(crate) fn choose() -> Result<Self, TestkitError> {
        let temp = std::env::temp_dir();
        // A new file belongs to the process that makes it, which tells our uid without calling into libc.
        let uid = tempfile::tempfile()
            .and_then(|file| file.metadata())
            .map_err(TestkitError::file("create a file in", &temp))?
            .uid();
        if uid != 0 {
            return Ok(Self::Own { uid });
        }
        let path = Path::new("/etc/passwd");
        let passwd = fs::read_to_string(path).map_err(TestkitError::file("read", path))?;
        CANDIDATES
            .iter()
            .find_map(|name| lookup(&passwd, name))
            .ok_or(TestkitError::NoAccount)
    }

    /// The user id that owns the server's files.
    pub(crate) fn uid(self) -> u32 {
        match self {
            Self::Own { uid } | Self::Other { uid, .. } => uid,
        }
    }

    /// Whether the server runs as somebody else than we do.
    pub(crate) fn is_other(self) -> bool {
        matches!(self, Self::Other { .. })
    }

    /// Gives a file or folder of ours to the account.
    pub(crate) fn own(self, path: &Path) -> Result<(), TestkitError> {
        match self {
            Self::Own { .. } => Ok(()),
            Self::Other { uid, gid } => chown(path, Some(uid), Some(gid))
                .map_err(TestkitError::file("change the owner of", path)),
        }
    }

    /// A command that runs as the account, in `folder`, without the settings of PostgreSQL clients around it.
    pub(crate) fn command(self, program: impl AsRef<std::ffi::OsStr>, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(folder)
            .env("HOME", folder)
            .env("LC_ALL", "C");
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG"))
        {
            command.env_remove(name);
        }
        if let Self::Other { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
        command
    }
}

/// The account of that name in the text of `/etc/passwd` (`name:password:uid:gid:…`), unless it is root itself.
fn lookup(passwd: &str, name: &str) -> Option<Account> {
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [found, _, uid, gid, ..] = fields[..] else {
            return None;
        };
        let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
        (found == name && uid != 0).then_some(Account::Other { uid, gid })
    })
}

#[cfg(test)]
mod tests {
    use super::{Account, lookup};

    #[track_caller]
    fn check(passwd: &str, name: &str, expected: Option<(u32, u32)>) {
        let found = lookup(passwd, name).map(|account| match account {
            Account::Own { uid } => (uid, 0),
            Account::Other { uid, gid } => (uid, gid),
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn an_account_is_found_by_its_whole_name_and_is_never_root() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\npostgresql:x:7:8::/:\npostgres:x:101:104:,,,:/var:/bin/sh\nbroken\n";
        check(passwd, "postgres", Some((101, 104)));
        check(passwd, "nobody", None);
        check(passwd, "root", None);
    }
}
