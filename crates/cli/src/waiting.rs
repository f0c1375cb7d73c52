//! Says what is waited for when an encode stands still.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::say::say;

/// Time without a sign of life after which something is said.
const MOST: Duration = Duration::from_secs(60);

struct State {
    since: Instant,
    /// What comes next.
    what: String,
    said: bool,
    ended: bool,
}

/// Watches an encode; ends when dropped.
pub struct Waiting {
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl Waiting {
    /// Says it on stderr after `of`, and only if something takes longer than a minute.
    pub fn new(of: String) -> Self {
        Waiting::with(MOST, move |line| say(&format!("{of}{line}")))
    }

    fn with(most: Duration, tell: impl Fn(&str) + Send + 'static) -> Self {
        let state = State {
            since: Instant::now(),
            what: "the source".into(),
            said: false,
            ended: false,
        };
        let shared = Arc::new((Mutex::new(state), Condvar::new()));
        let watched = shared.clone();
        std::thread::spawn(move || {
            let (state, changed) = &*watched;
            let mut s = state.lock().unwrap_or_else(PoisonError::into_inner);
            while !s.ended {
                let quiet = s.since.elapsed();
                if quiet >= most && !s.said {
                    s.said = true;
                    tell(&format!(
                        "no step in {:.0} s: waiting for {}",
                        quiet.as_secs_f64(),
                        s.what
                    ));
                }
                let rest = if s.said {
                    most
                } else {
                    most.saturating_sub(quiet).max(Duration::from_millis(10))
                };
                s = changed
                    .wait_timeout(s, rest)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
            }
        });
        Waiting { shared }
    }

    /// Something happened; `what` comes next.
    pub fn next(&self, what: impl FnOnce() -> String) {
        let mut s = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        s.since = Instant::now();
        s.what = what();
        // the watcher's own time goes on; a stall later is said again
        if std::mem::take(&mut s.said) {
            self.shared.1.notify_one();
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.shared
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .ended = true;
        self.shared.1.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn each_stall_is_said_once_with_what_is_waited_for() {
        let (send, said) = channel();
        let w = Waiting::with(Duration::from_millis(20), move |line| {
            drop(send.send(line.to_string()))
        });
        let wait = |what: &str| {
            assert!(
                said.recv_timeout(Duration::from_secs(60))
                    .unwrap()
                    .ends_with(what)
            )
        };
        wait("waiting for the source");
        w.next(|| "the first step".into());
        wait("waiting for the first step");
        std::thread::sleep(Duration::from_millis(100));
        assert!(said.try_recv().is_err(), "said twice");
        drop(w);
        // the watcher ends, and its end of the channel with it
        assert!(said.recv_timeout(Duration::from_secs(60)).is_err());
    }
}
