//! Checks the database: whether it answers, its schema, who may read it, and what the bot could not store or show.

use super::{Findings, clock};
use crate::config::Config;
use crate::db::migrations::{Schema, pending};
use crate::db::mode::{self, Mode};
use crate::db::{Database, DbError, companion, files, sequences, webhooks};

/// Checks the database of the settings. Only reads.
pub(super) async fn examine(config: &Config, found: &mut Findings) {
    let what = "database";
    if let Some(file) = Database::missing_file(config.database_url.reveal()) {
        return found.bad(
            what,
            format!(
                "{} does not exist yet; `gametimes-bot migrate` or the first `run` creates it",
                file.display()
            ),
        );
    }
    file_permissions(config, found);
    let url = config.database_url.reveal();
    let opened = match Database::open_read_only(url).await {
        Ok(database) => database,
        Err(error) => return found.bad(what, error.at(url).to_string()),
    };
    let mode = match mode::choose(&opened, config.database_mode).await {
        Ok(choice) => {
            found.good("database mode", choice.to_string());
            choice.mode
        }
        Err(error) => {
            found.bad("database mode", error.to_string());
            Mode::Own
        }
    };
    let missing = match mode {
        Mode::Own => pending(&opened, &Schema::current()).await,
        Mode::Companion => companion::pending(&opened).await,
    };
    match missing {
        Ok(pending) if pending.is_empty() => found.good(what, "reachable, all migrations applied"),
        Ok(pending) => found.bad(
            what,
            format!(
                "missing migrations: {}; run `gametimes-bot migrate` as the owner of the tables",
                pending.join(", ")
            ),
        ),
        Err(error) => found.bad(what, error.to_string()),
    }
    servers(&opened, found).await;
    if opened.is_postgres() {
        match opened.now_unix().await {
            Ok(now) => clock("database's clock", now, found),
            Err(error) => found.bad("database's clock", error.to_string()),
        }
        let what = "database sequences";
        match sequences::behind(&opened).await {
            Ok(behind) if behind.is_empty() => found.good(what, "new rows get free ids"),
            Ok(behind) => found.bad(
                what,
                format!(
                    "no new row can be stored: {} the next `run` or `receive` does so if it may",
                    sequences::describe(&behind)
                ),
            ),
            Err(error) => found.bad(what, error.to_string()),
        }
    }
    opened.close().await;
}

/// Reports servers whose rounds came through a webhook that they do not belong to.
async fn servers(database: &Database, found: &mut Findings) {
    let what = "servers and webhooks";
    match webhooks::conflicts(database).await {
        Ok(conflicts) => {
            for conflict in conflicts {
                found.bad(what, conflict.to_string());
            }
        }
        // The migration that creates the tables has not run, which is reported already.
        Err(DbError::NotMigrated) => {}
        Err(error) => found.bad(what, error.to_string()),
    }
}

/// Checks who may read an SQLite database. A setting that opens it is a decision, not a mistake.
fn file_permissions(config: &Config, found: &mut Findings) {
    let what = "database files";
    let is_wanted = config
        .database_file_mode
        .is_some_and(|mode| mode & 0o007 != 0);
    match files::open_to_others(config.database_url.reveal()) {
        Err(error) => found.bad(what, error.to_string()),
        Ok(open) if open.is_empty() || is_wanted => {}
        Ok(open) => {
            let names: Vec<String> = open.iter().map(|f| f.display().to_string()).collect();
            let names = names.join(" ");
            found.bad(
                what,
                format!(
                    "every user of this machine may open them, and they contain full guids; run: chmod 600 {names} (or set \
                     database_file_mode, if that is intended)"
                ),
            );
        }
    }
}
