//! The throwaway server for scratch databases, one for the whole process.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use limbeck_testkit::{Binaries, Cluster};

/// A throwaway server for scratch databases. It ends with the last value, and with the process however that ends.
#[derive(Clone, Debug)]
pub struct Embedded(Arc<Cluster>);

/// The throwaway server that is running, for further scratch databases.
static RUNNING: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());

impl Embedded {
    /// A server of that major version, or of any where none is asked for. Only this account can connect to it.
    pub(super) async fn start(major: Option<i32>) -> Result<Self, String> {
        let major = major.and_then(|it| u32::try_from(it).ok());
        let running = RUNNING
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .upgrade();
        if let Some(it) = running.filter(|it| major.is_none_or(|major| major == it.major())) {
            return Ok(Self(it));
        }
        // A start takes seconds, in which the command can be interrupted; the server then ends with its value.
        let start = move || {
            let binaries = major.map_or_else(Binaries::find, Binaries::find_major)?;
            Cluster::start_private(&binaries)
        };
        let started = tokio::task::spawn_blocking(start).await;
        let cluster = started
            .map_err(|error| error.to_string())?
            .map_err(|error| error.full())?;
        let cluster = Arc::new(cluster);
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&cluster);
        Ok(Self(cluster))
    }

    pub(super) fn url(&self) -> String {
        self.0.url("postgres")
    }
}
