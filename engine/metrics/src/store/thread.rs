//! The thread that does what is due.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use obsq_source::Error;
use obsq_wal::abort_on_panic;
use parking_lot::{Condvar, Mutex};

use super::Shared;
use crate::boundary::unavailable;

/// How often the thread looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// What a thread does again and again.
type Task = fn(&Shared) -> Result<(), Error>;

/// Calls one function of [`Shared`] every second until it is stopped or dropped.
#[derive(Debug)]
pub(crate) struct MaintenanceThread {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl MaintenanceThread {
    /// Starts the thread, unless the options say that there is none.
    pub(super) fn start(shared: &Arc<Shared>, name: &str, task: Task) -> Result<Self, Error> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let mut thread = None;
        if shared.options.maintenance {
            let (shared, stop) = (Arc::clone(shared), Arc::clone(&stop));
            let builder = std::thread::Builder::new().name(name.to_owned());
            let name = name.to_owned();
            let started =
                builder.spawn(move || abort_on_panic(&name, || run(&shared, task, &stop)));
            thread = Some(started.map_err(|_error| unavailable("a thread for the metrics store"))?);
        }
        Ok(Self {
            stop,
            thread: Mutex::new(thread),
        })
    }

    /// Waits until the thread has finished what it is doing and ends it.
    pub(super) fn stop(&self) {
        let (stop, changed) = self.stop.as_ref();
        *stop.lock() = true;
        changed.notify_all();
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the metrics store has panicked");
        }
    }
}

impl Drop for MaintenanceThread {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(shared: &Shared, task: Task, (stop, changed): &(Mutex<bool>, Condvar)) {
    let mut stopped = stop.lock();
    while !*stopped {
        changed.wait_for(&mut stopped, INTERVAL);
        if *stopped {
            return;
        }
        drop(stopped);
        // Failures are told when they begin and when they end.
        drop(task(shared));
        stopped = stop.lock();
    }
}
