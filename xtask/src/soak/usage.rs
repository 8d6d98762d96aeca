//! What a process uses, and whether it grows.

use std::path::Path;

/// What a process uses at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    pub memory_kib: u64,
    pub threads: usize,
    pub descriptors: usize,
}

/// How much more the last third of the day may use than the second: the normal variation.
#[derive(Debug, Clone, Copy)]
pub struct Noise {
    pub memory_kib: u64,
    pub threads: usize,
    pub descriptors: usize,
}

impl Usage {
    /// Reads `/proc`.
    pub fn of(process: u32) -> Result<Self, String> {
        let process = Path::new("/proc").join(process.to_string());
        let status = std::fs::read_to_string(process.join("status")).map_err(|e| e.to_string())?;
        let memory = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
        let memory = memory.and_then(|l| l.split_whitespace().next()?.parse().ok());
        Ok(Self {
            memory_kib: memory.ok_or("no VmRSS in /proc")?,
            threads: count(&process.join("task")),
            descriptors: count(&process.join("fd")),
        })
    }
}

/// How many entries a folder has.
pub fn count(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

/// Compares the last third of the day with the second; after the first, all buffers have reached their size. There is one sample an hour.
///
/// # Errors
/// If something grew.
pub fn check_nothing_grew(process: &str, samples: &[Usage], noise: Noise) -> Result<(), String> {
    let third = samples.len() / 3;
    if third == 0 {
        println!("{process}: the soak is too short to measure growth");
        return Ok(());
    }
    let (second, last) = (
        &samples[third..2 * third],
        &samples[samples.len() - third..],
    );
    let median = |samples: &[Usage], of: fn(&Usage) -> u64| {
        let mut values: Vec<u64> = samples.iter().map(of).collect();
        values.sort_unstable();
        values[values.len() / 2]
    };
    type Resource = (&'static str, fn(&Usage) -> u64, u64);
    let resources: [Resource; 3] = [
        ("KiB of memory", |s| s.memory_kib, noise.memory_kib),
        ("threads", |s| s.threads as u64, noise.threads as u64),
        (
            "file descriptors",
            |s| s.descriptors as u64,
            noise.descriptors as u64,
        ),
    ];
    let mut grew = Vec::new();
    for (what, of, noise) in resources {
        let (before, after) = (median(second, of), median(last, of));
        println!(
            "{process}: median of {what} {before} in the second third of the day, {after} in the last"
        );
        if after > before + noise {
            grew.push(what);
        }
    }
    if grew.is_empty() {
        Ok(())
    } else {
        Err(format!("{process}: {} grew", grew.join(" and ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_beyond_the_noise_is_found_and_a_peak_is_not() {
        let noise = Noise {
            memory_kib: 100,
            threads: 0,
            descriptors: 1,
        };
        let samples = |of: fn(usize) -> Usage| (0..9).map(of).collect::<Vec<_>>();
        let check = |samples: &[Usage]| check_nothing_grew("a test", samples, noise);
        let flat = |hour| Usage {
            memory_kib: 1000 + 50 * (hour as u64 % 2),
            threads: 4,
            descriptors: 7 + usize::from(hour == 8),
        };
        assert_eq!(check(&samples(flat)), Ok(()));
        let leaking = |hour| Usage {
            memory_kib: 1000 + 40 * hour as u64,
            threads: 4 + hour,
            descriptors: 7 + hour,
        };
        let error = check(&samples(leaking)).unwrap_err();
        assert_eq!(
            error,
            "a test: KiB of memory and threads and file descriptors grew"
        );
        assert_eq!(check(&samples(leaking)[..2]), Ok(()), "too short");
    }
}
