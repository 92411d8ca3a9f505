//! What a result was measured on.

use std::{fmt, fs, path::Path};

use serde::Serialize;

/// The machine, as far as it bears on a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Processors that this process may use.
    pub cores: usize,
    /// Their model.
    pub cpu: String,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Operating system and release of its kernel.
    pub kernel: String,
    /// File system under the run's directory.
    pub file_system: String,
}

impl Machine {
    /// Looks at this machine and the file system that holds `dir`. What cannot be read is `unknown`.
    pub fn of(dir: &Path) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let (cpus, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
        let memory_kib = field(&memory, "MemTotal").and_then(|text| {
            text.trim_end_matches("kB").trim().parse::<u64>().ok() // "MemTotal: 24644400 kB"
        });
        let release = read("/proc/sys/kernel/osrelease");
        Self {
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            cpu: field(&cpus, "model name").unwrap_or("unknown").to_owned(),
            memory_mib: memory_kib.unwrap_or(0) / 1024,
            kernel: format!("{} {}", std::env::consts::OS, known(release.trim())),
            file_system: file_system(&read("/proc/self/mounts"), dir),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cores,
            cpu,
            memory_mib,
            kernel,
            file_system,
        } = self;
        write!(
            f,
            "{cores} cores ({cpu}), {memory_mib} MiB, {kernel}, {file_system}"
        )
    }
}

fn known(text: &str) -> &str {
    if text.is_empty() { "unknown" } else { text }
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then_some(value.trim())
    })
}

/// Type of the mount whose mount point is the longest beginning of `dir`.
fn file_system(mounts: &str, dir: &Path) -> String {
    let dir = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    let holds = |line: &str| {
        let mut columns = line.split_whitespace().skip(1);
        let (point, kind) = (columns.next()?.to_owned(), columns.next()?.to_owned());
        dir.starts_with(&point).then_some((point.len(), kind))
    };
    // A later mount on the same point hides the earlier one; `max_by_key` keeps the last of equals.
    let deepest = mounts
        .lines()
        .filter_map(holds)
        .max_by_key(|(depth, _)| *depth);
    deepest.map_or_else(|| "unknown".to_owned(), |(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_and_last_mount_counts() {
        let mounts = "/dev/a / ext4 rw 0 0\ntmpfs /nowhere tmpfs rw 0 0\n/dev/b /nowhere/data xfs rw 0 0\n\
                      /dev/c /nowhere/data btrfs rw 0 0\n";
        assert_eq!(file_system(mounts, Path::new("/nowhere/data/x")), "btrfs");
        assert_eq!(file_system(mounts, Path::new("/nowhere/database")), "tmpfs");
        assert_eq!(file_system(mounts, Path::new("/elsewhere")), "ext4");
        assert_eq!(file_system("", Path::new("/elsewhere")), "unknown");
    }

    #[test]
    fn values_are_found_by_name() {
        let text = "processor\t: 0\nmodel name\t: A CPU: fast\n";
        assert_eq!(field(text, "model name"), Some("A CPU: fast"));
        assert_eq!(field(text, "model"), None);
    }
}
