//! The signature of a release: made with an SSH key, checked with `ssh-keygen`, which most machines have.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{output, run};

/// What the key signs: a signature for anything else does not count.
const NAMESPACE: &str = "gametimes-release";
/// The name of the signer in the file `allowed_signers` of those who check.
const SIGNER: &str = "gametimes";

/// Writes `<file>.sig`, and checks it as docs/operating.md tells users to.
pub fn sign(file: &Path, key: &Path) -> Result<(), String> {
    let mut signature = file.as_os_str().to_owned();
    signature.push(".sig");
    let signature = PathBuf::from(signature);
    // ssh-keygen asks before it replaces one.
    if signature.exists() {
        fs::remove_file(&signature).map_err(|e| format!("{}: {e}", signature.display()))?;
    }
    run(Command::new("ssh-keygen")
        .args(["-q", "-Y", "sign", "-n", NAMESPACE, "-f"])
        .arg(key)
        .arg(file))?;
    let public = output(Command::new("ssh-keygen").arg("-y").arg("-f").arg(key))?;
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let signers = folder.path().join("allowed_signers");
    fs::write(&signers, format!("{SIGNER} {public}")).map_err(|e| e.to_string())?;
    check(file, &signature, &signers)
}

fn check(file: &Path, signature: &Path, signers: &Path) -> Result<(), String> {
    let signed = File::open(file).map_err(|e| format!("{}: {e}", file.display()))?;
    run(Command::new("ssh-keygen")
        .args(["-Y", "verify", "-n", NAMESPACE, "-I", SIGNER, "-f"])
        .arg(signers)
        .arg("-s")
        .arg(signature)
        .stdin(signed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signature_fits_the_signed_file_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let keygen = |name: &str| {
            let mut command = Command::new("ssh-keygen");
            command.args(["-q", "-t", "ed25519", "-N", "", "-f"]);
            assert!(command.arg(path(name)).status().unwrap().success());
            let public = fs::read_to_string(path(&format!("{name}.pub"))).unwrap();
            fs::write(
                path(&format!("{name}.signers")),
                format!("{SIGNER} {public}"),
            )
            .unwrap();
        };
        keygen("key");
        keygen("other");
        let sums = path("SHA256SUMS");
        fs::write(&sums, "00  file\n").unwrap();
        // The second signature replaces the first.
        sign(&sums, &path("other")).unwrap();
        sign(&sums, &path("key")).unwrap();
        let signature = path("SHA256SUMS.sig");
        check(&sums, &signature, &path("key.signers")).unwrap();
        check(&sums, &signature, &path("other.signers")).unwrap_err();
        fs::write(&sums, "01  file\n").unwrap();
        check(&sums, &signature, &path("key.signers")).unwrap_err();
    }
}
