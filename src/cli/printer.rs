//! Everything that is said on standard error, and the progress bar.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::{ColorChoice, RunArgs};
use crate::error::Error;
use crate::pipeline::Progress;
use crate::reports::text::visible;

/// How much is said. Data never goes through here.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    quiet: bool,
    verbose: bool,
    progress: bool,
}

impl Printer {
    pub(super) fn new(args: &RunArgs) -> Self {
        let progress = !args.no_progress && !args.quiet && std::io::stderr().is_terminal();
        Printer { quiet: args.quiet, verbose: args.verbose, progress }
    }

    /// What everybody should know, unless they asked for quiet.
    pub fn note(&self, message: &str) {
        if !self.quiet {
            line(message);
        }
    }

    /// What is said only with `--verbose`.
    pub fn detail(&self, message: &str) {
        if self.verbose {
            line(message);
        }
    }

    /// Runs `work` with a bar that shows its progress, if it takes more than a second on a terminal.
    pub fn with_progress<T>(&self, work: impl FnOnce(&Progress) -> T) -> T {
        let progress = Arc::new(Progress::default());
        let bar = self.progress.then(|| Bar::start(Arc::clone(&progress)));
        let result = work(&progress);
        if let Some(bar) = bar {
            bar.stop();
        }
        result
    }
}

/// Writes one message to standard error, its text made harmless. Nothing can be done if that fails.
pub fn line(message: &str) {
    let mut stderr = std::io::stderr().lock();
    for line in message.split('\n') {
        let _ = writeln!(stderr, "{}", visible(line));
    }
}

/// Says what went wrong and, after an empty line, what to do about it.
pub fn error(error: &Error) {
    line(&format!("error: {error}"));
    if let Some(hint) = error.advice() {
        line(&format!("\nhint: {hint}"));
    }
}

struct Bar {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Bar {
    fn start(progress: Arc<Progress>) -> Bar {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || watch(&progress, &stopped));
        Bar { stop, thread }
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        // The bar is decoration: if its thread failed there is nothing to save.
        let _ = self.thread.join();
    }
}

fn watch(progress: &Progress, stop: &AtomicBool) {
    let start = Instant::now();
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut shown = false;
    while !stop.load(Ordering::Relaxed) {
        std::thread::park_timeout(Duration::from_millis(100));
        let seconds = start.elapsed().as_secs_f64();
        if !shown && seconds > 1.0 {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            shown = true;
        }
        bar.set_length(progress.total_bytes.load(Ordering::Relaxed));
        bar.set_position(progress.bytes.load(Ordering::Relaxed));
        let rate = progress.events.load(Ordering::Relaxed) as f64 / seconds / 1e6;
        bar.set_message(format!("{rate:.1} M events/s"));
    }
    bar.finish_and_clear();
}

/// Whether to colour what goes to standard output: the flag, then `NO_COLOR`, then `FORCE_COLOR`, then whether it is a terminal.
pub fn colored(choice: ColorChoice) -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if set("NO_COLOR") => false,
        ColorChoice::Auto if set("FORCE_COLOR") || set("CLICOLOR_FORCE") => true,
        ColorChoice::Auto => std::io::stdout().is_terminal(),
    }
}
