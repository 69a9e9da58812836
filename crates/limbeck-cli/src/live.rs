//! The line on a terminal that says which statement runs, and for how long.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use limbeck_sql::one_line;

/// What takes longer than this is shown while it runs, and said when it is done.
pub(crate) const WORTH_A_WORD: Duration = Duration::from_secs(1);

/// How often the line is drawn.
const TICK: Duration = Duration::from_millis(200);

/// Whether there is somebody to look at a line that changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Terminal {
    /// Standard error is a terminal.
    Yes,
    /// It is a file, a pipe, or the caller's.
    No,
}

/// The line, if there is a terminal for it. Copies are the same line.
#[derive(Clone)]
pub(crate) struct Live {
    line: Option<Arc<Mutex<Line>>>,
}

struct Line {
    bar: ProgressBar,
    /// What runs now.
    text: String,
    since: Instant,
}

impl Live {
    /// A line on standard error, which shows nothing yet.
    pub(crate) fn new(terminal: Terminal) -> Self {
        let line = (terminal == Terminal::Yes).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            // Without a style of its own the line would be a bar.
            if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {wide_msg}") {
                bar.set_style(style);
            }
            Arc::new(Mutex::new(Line {
                bar,
                text: String::new(),
                since: Instant::now(),
            }))
        });
        Self { line }
    }

    /// Whether there is a terminal.
    pub(crate) fn is_shown(&self) -> bool {
        self.line.is_some()
    }

    fn with(&self, act: impl FnOnce(&mut Line)) {
        if let Some(line) = &self.line {
            act(&mut line.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Something begins.
    pub(crate) fn begin(&self, text: String) {
        self.with(|line| {
            line.bar.finish_and_clear();
            line.text = one_line(&limbeck_connect::redact(&text)).into_owned();
            line.since = Instant::now();
        });
    }

    /// Takes the line away, for a line that stays or because all is done.
    pub(crate) fn clear(&self) {
        self.with(|line| {
            line.bar.finish_and_clear();
            line.text.clear();
        });
    }

    /// Draws the line again and again, once what runs is worth it.
    pub(crate) async fn draw(&self) {
        if !self.is_shown() {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(TICK).await;
            self.with(|line| {
                let took = line.since.elapsed();
                if line.text.is_empty() || took < WORTH_A_WORD {
                    return;
                }
                if line.bar.is_finished() {
                    line.bar.reset();
                }
                line.bar.set_prefix(format!("{} s", took.as_secs()));
                line.bar.set_message(line.text.clone());
                line.bar.tick();
            });
        }
    }
}
