//! Files of the game server: the stats files of the c0rnp0rn scripts and the gametimes files, from local folders and over
//! SFTP.

pub mod folder;
pub mod ingest;
pub mod poller;
pub mod sftp;
