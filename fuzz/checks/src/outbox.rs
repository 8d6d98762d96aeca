//! Outbox and journal in folders with arbitrary other files: our files are found and read, the others stay unchanged.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use gametimes::deliver::instance_dir::InstanceDir;
use gametimes::deliver::journal::{Head, Journal};
use gametimes::deliver::old_files::Cleaner;
use gametimes::deliver::outbox::{Entry, Outbox, webhook_key_of};
use gametimes::event::{Event, Stamp, What};
use gametimes_format::file::Score;
use gametimes_format::{GametimesFile, Message, Meta};

/// The folders of foreign files, by the first letter of a line.
const FOLDERS: [(&str, &str); 5] = [
    ("q", "outbox/x/queue"),
    ("r", "outbox/x/rejected"),
    ("d", "outbox/x/dropped"),
    ("i", "outbox/x"),
    ("f", ""),
];

/// The webhook of our message.
const TARGET: &str = "0badf00d";

/// Each line is a file: `q 1795178024000-supply-R1-id.0badf00d.json {"event_id":...}`. The letter names the folder, name and
/// content follow.
pub fn outbox(bytes: &[u8]) {
    let root = tempfile::tempdir().expect("a temporary folder");
    let root = root.path();
    let instance = root.join("outbox/x");
    for (_, folder) in FOLDERS {
        fs::create_dir_all(root.join(folder)).expect("a folder");
    }
    let foreign = put_foreign(root, bytes);

    let (entry, file) = ours();
    let name = Outbox::open(&instance)
        .and_then(|outbox| outbox.put(TARGET, &entry, &file, 1_795_178_024_000))
        .expect("put beside them");
    let mut dir = InstanceDir::open(root, "x", 0o640).expect("a folder that can be used");
    dir.journal.recover();
    let outbox = &dir.outbox;

    // Our message is found and read.
    assert!(outbox.waiting(TARGET).contains(&name));
    assert_eq!(outbox.read(&name).expect("ours"), entry);
    let all = outbox.all();
    assert!(all.is_sorted() && all.iter().all(|name| webhook_key_of(name).is_some()));
    for name in &all {
        // A message that was read can be written and read again.
        if let Ok(entry) = outbox.read(name) {
            let bytes = serde_json::to_vec(&entry).expect("an entry can be written");
            assert_eq!(
                serde_json::from_slice::<Entry>(&bytes).expect("read"),
                entry
            );
        }
    }
    assert!(outbox.bound().is_empty() || all.len() > 500);
    Cleaner::default().run(root, 36_500, Instant::now(), || 1_795_178_024);
    outbox.done(&name).expect("removed");
    assert!(!outbox.waiting(TARGET).contains(&name));

    journal(&instance, &foreign);

    // All other files are unchanged, except temporary files that a crash of the module leaves, the journal and the lock.
    for (path, content) in &foreign {
        let file = path.file_name().and_then(|n| n.to_str()).unwrap_or("");
        let was_ours =
            (file.starts_with(".tmp-") && file.ends_with(".part") && path.parent() != Some(root))
                || [instance.join("lock"), instance.join("round.journal")].contains(path)
                || *path == instance.join("queue").join(&name);
        if !was_ours {
            assert_eq!(&fs::read(path).expect("still there"), content, "{path:?}");
        }
    }
}

/// Writes the lines as files, and returns their paths and contents.
fn put_foreign(root: &Path, bytes: &[u8]) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut foreign = BTreeMap::new();
    for line in bytes.split(|&b| b == b'\n').take(40) {
        let mut words = line.splitn(3, |&b| b == b' ');
        let (Some(folder), Some(name)) = (words.next(), words.next()) else {
            continue;
        };
        let Ok(name) = std::str::from_utf8(name) else {
            continue;
        };
        let folder = FOLDERS.iter().find(|(f, _)| f.as_bytes() == folder);
        if name.is_empty() || name.contains(['/', '\0']) || name.len() > 200 {
            continue;
        }
        let Some((_, folder)) = folder else { continue };
        // A journal has many lines, which tabs separate here.
        let content = words.next().unwrap_or(b"").to_vec();
        let content: Vec<u8> = content
            .into_iter()
            .map(|b| if b == b'\t' { b'\n' } else { b })
            .collect();
        let path = root.join(folder).join(name);
        if !path.is_dir() && fs::write(&path, &content).is_ok() {
            foreign.insert(path, content);
        }
    }
    foreign
}

/// The valid beginning of any journal that a crash leaves is recovered, and so is a new one whose last line is incomplete
/// and followed by other bytes.
fn journal(instance: &Path, foreign: &BTreeMap<PathBuf, Vec<u8>>) {
    let path = instance.join("round.journal");
    let mut journal = Journal::new(instance);
    let left = journal.recover();
    if let Some(left) = &left {
        journal.begin(left.head.clone());
        left.events.iter().for_each(|event| journal.add(event));
        journal.alive(left.last);
        if left.queued {
            journal.queued(left.head.event_id);
        }
        journal.flush(true).expect("written");
        assert_eq!(journal.recover().as_ref(), Some(left));
    }
    let head = Head {
        event_id: uuid(7),
        score: Score { axis: 1, allies: 2 },
        warmup_start_unix_ms: Some(5),
    };
    let event = Event {
        at: Stamp {
            level_ms: 50,
            unix_ms: 1_795_178_024_000,
        },
        what: What::Limbo { slot: 3 },
    };
    journal.begin(head.clone());
    journal.add(&event);
    journal.flush(true).expect("written");
    let mut bytes = fs::read(&path).expect("a journal");
    // An incomplete line, then other bytes.
    bytes.extend_from_slice(b"{\"event\":{\"at\":");
    bytes.extend(foreign.values().flatten());
    fs::write(&path, bytes).expect("written");
    let recovered = journal.recover().expect("its beginning is whole");
    assert_eq!((recovered.head, recovered.events[0].clone()), (head, event));
    journal.remove();
    assert!(!path.exists());
}

fn uuid(n: u8) -> uuid::Uuid {
    uuid::Uuid::from_bytes([n; 16])
}

fn ours() -> (Entry, GametimesFile) {
    let file = GametimesFile {
        meta: Meta {
            map: "supply".into(),
            round: 1,
            round_end_unix: 1_795_178_024,
            ..Meta::default()
        },
        payload: Message::default(),
    };
    let entry = Entry {
        event_id: "01936d0e".into(),
        message: Message::default(),
        file_name: file.file_name(),
        file: "{\"meta\":{}}".into(),
    };
    (entry, file)
}
