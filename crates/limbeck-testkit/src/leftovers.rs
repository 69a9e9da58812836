//! The folders of clusters: how one is marked as in use, and how those of dead processes are found and removed.
//!
//! The keeper removes a cluster with its process. What it cannot survive (somebody kills it too, the machine restarts) is
//! left for the next start. A folder is in use while its owner holds a lock on the file `owner`: the kernel releases the
//! lock with the process, so, other than with a recorded pid, no reuse of the number can deceive.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;

use crate::account::Account;
use crate::binaries::Binaries;
use crate::error::TestkitError;

const PREFIX: &str = "limbeck-pg-";
const OWNER: &str = "owner";

/// The longest folder for clusters: a socket's path has at most 107 bytes (`sun_path` of unix(7), 103 on macOS), and
/// `limbeck-pg-XXXXXX/.s.PGSQL.65535` takes 33 of them.
const MAX_BASE: usize = 70;

/// A new folder for a cluster, its owner's lock held; dropping it removes it.
#[derive(Debug)]
pub(crate) struct Folder {
    dir: TempDir,
    _lock: File,
}

impl Folder {
    pub(crate) fn create(account: Account) -> Result<Self, TestkitError> {
        let base = base(account);
        let dir = tempfile::Builder::new()
            .prefix(PREFIX)
            // Nobody else is to reach the socket and the files in it.
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(&base)
            .map_err(TestkitError::file("create a folder in", &base))?;
        // The lock is taken under another name, so that a file `owner` without a lock is always a dead process's.
        let draft = dir.path().join("owner.new");
        let owner = dir.path().join(OWNER);
        let lock = File::create_new(&draft)
            .and_then(|mut file| {
                file.lock()?;
                // Only for a person who wonders whose folder it is.
                writeln!(file, "{}", std::process::id())?;
                Ok(file)
            })
            .map_err(TestkitError::file("lock", &draft))?;
        fs::rename(&draft, &owner).map_err(TestkitError::file("rename", &draft))?;
        account.own(&owner)?;
        account.own(dir.path())?;
        Ok(Self { dir, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// The folder that holds the folders of clusters: the user's temporary one where the server's account may write to it and
/// sockets in it get a path short enough, else `/tmp`.
fn base(account: Account) -> PathBuf {
    let temp = std::env::temp_dir();
    let fits = temp.as_os_str().len() <= MAX_BASE;
    let open = fs::metadata(&temp).is_ok_and(|meta| meta.permissions().mode() & 0o1777 == 0o1777);
    if fits && (open || !account.is_other()) {
        temp
    } else {
        PathBuf::from("/tmp")
    }
}

/// Stops and removes the clusters of dead processes. What cannot be removed is left for the next time: it is nobody's
/// fault that starts a cluster now.
pub(crate) fn sweep(binaries: &Binaries, account: Account) {
    for entry in fs::read_dir(base(account)).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            remove_if_dead(&entry.path(), binaries, account);
        }
    }
}

fn remove_if_dead(folder: &Path, binaries: &Binaries, account: Account) {
    // Others may put folders of that name there too; only the account's own are touched.
    if !fs::symlink_metadata(folder).is_ok_and(|meta| meta.is_dir() && meta.uid() == account.uid())
    {
        return;
    }
    let Ok(owner) = OpenOptions::new()
        .read(true)
        .write(true)
        .open(folder.join(OWNER))
    else {
        return;
    };
    if owner.try_lock().is_err() {
        return;
    }
    let data = folder.join("data");
    if data.join("postmaster.pid").exists() {
        // pg_ctl knows whether the recorded process is still this cluster's server. It may be gone by now.
        let _ = account
            .command(binaries.pg_ctl(), folder)
            .args(["stop", "--silent", "--mode=immediate", "-D"])
            .arg(&data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
    let _ = fs::remove_dir_all(folder);
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Folder, sweep};
    use crate::account::Account;
    use crate::binaries::Binaries;
    use crate::cluster::Listen;
    use crate::keeper::{Keeper, Refusal};

    #[test]
    fn folders_in_use_stay_and_those_of_dead_processes_go() {
        let binaries = Binaries::find().expect("this machine has a server");
        let account = Account::choose().expect("an account");
        let used = Folder::create(account).expect("a folder");
        let dead = Folder::create(account).expect("a folder");
        let path = dead.path().to_path_buf();
        // What a killed process leaves: the folder, and the lock released.
        dead._lock.unlock().expect("the lock is ours");
        sweep(&binaries, account);
        assert!(used.path().exists());
        assert!(!path.exists());
    }

    #[test]
    fn a_refused_start_says_what_the_server_said() {
        let binaries = Binaries::find().expect("this machine has a server");
        let account = Account::choose().expect("an account");
        let folder = Folder::create(account).expect("a folder");
        fs::create_dir(folder.path().join("data")).expect("a folder");
        let Err(Refusal::Error(error)) =
            Keeper::start(&binaries, account, folder.path(), 1, Listen::Local)
        else {
            panic!("a server started without data");
        };
        let text = error.to_string();
        assert!(
            text.starts_with("the PostgreSQL server ended while starting; its log ends: "),
            "{text}"
        );
        assert!(text.contains("data"), "{text}");
    }
}
