//! The private key of the listener, which may ask for a password: in the form of PKCS#8, and in the older one that `openssl
//! ... -aes256` used to write and that the original reads.

use std::fmt;
use std::path::Path;

use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use md5::{Digest as _, Md5};
use pem::Pem;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};

/// The password of a key. Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyPassword(String);

impl KeyPassword {
    /// This password.
    pub fn new(password: String) -> Self {
        Self(password)
    }
}

impl fmt::Debug for KeyPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyPassword(hidden)")
    }
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("{0}")]
    Unreadable(#[from] std::io::Error),
    /// No key in it.
    #[error("there is no private key in it; expected PEM")]
    NoKey,
    /// It asks for a password and there is nobody to ask.
    #[error(
        "it is encrypted and there is no terminal to ask for its password: start the service from one, or write the key without \
         (openssl pkey -in KEY -out PLAIN) for this user alone to read"
    )]
    NoTerminal,
    /// The password does not fit.
    #[error("it cannot be decrypted: is that the right password?")]
    WrongPassword,
    /// Encrypted in a way that is not read here.
    #[error(
        "it is encrypted by {0}, which is not read here; write it anew: openssl pkcs8 -topk8 -v2 aes-256-cbc -in KEY"
    )]
    Cipher(String),
}

/// The password of the key in this file, asked for on the terminal; `None` when it needs none.
///
/// # Errors
/// [`KeyError`].
pub fn ask_for_password(file: &Path) -> Result<Option<KeyPassword>, KeyError> {
    if !is_encrypted(&key_block(file)?) {
        return Ok(None);
    }
    let password = rpassword::prompt_password(format!("Enter password for {}: ", file.display()));
    password.map(|text| Some(KeyPassword(text))).map_err(|_| KeyError::NoTerminal)
}

/// The key in a file, decrypted where it has to be.
pub(super) fn read_key(file: &Path, password: Option<&KeyPassword>) -> Result<PrivateKeyDer<'static>, KeyError> {
    let block = key_block(file)?;
    if !is_encrypted(&block) {
        return key_of(block.tag(), block.contents().to_vec());
    }
    let password = password.ok_or(KeyError::NoTerminal)?;
    if block.tag() == "ENCRYPTED PRIVATE KEY" {
        let sealed = pkcs8::EncryptedPrivateKeyInfoRef::try_from(block.contents())
            .map_err(|error| KeyError::Cipher(error.to_string()))?;
        let opened = sealed.decrypt(password.0.as_bytes()).map_err(|_| KeyError::WrongPassword)?;
        return Ok(PrivatePkcs8KeyDer::from(opened.as_bytes().to_vec()).into());
    }
    let opened = open_old_form(&block, password)?;
    key_of(block.tag(), opened)
}

/// The first private key of the file; parameters of a curve and certificates may stand around it.
fn key_block(file: &Path) -> Result<Pem, KeyError> {
    let text = std::fs::read(file)?;
    let blocks = pem::parse_many(&text).map_err(|_| KeyError::NoKey)?;
    blocks.into_iter().find(|block| block.tag().ends_with("PRIVATE KEY")).ok_or(KeyError::NoKey)
}

fn is_encrypted(block: &Pem) -> bool {
    block.tag() == "ENCRYPTED PRIVATE KEY"
        || block.headers().get("Proc-Type").is_some_and(|kind| kind.contains("ENCRYPTED"))
}

fn key_of(tag: &str, der: Vec<u8>) -> Result<PrivateKeyDer<'static>, KeyError> {
    match tag {
        "PRIVATE KEY" => Ok(PrivatePkcs8KeyDer::from(der).into()),
        "RSA PRIVATE KEY" => Ok(PrivatePkcs1KeyDer::from(der).into()),
        "EC PRIVATE KEY" => Ok(PrivateSec1KeyDer::from(der).into()),
        _ => Err(KeyError::NoKey),
    }
}

/// The form of RFC 1421 as OpenSSL has it: cipher and first block in a header, the key from the password by MD5.
fn open_old_form(block: &Pem, password: &KeyPassword) -> Result<Vec<u8>, KeyError> {
    let how = block.headers().get("DEK-Info").unwrap_or_default();
    let (cipher, iv) = how.split_once(',').unwrap_or((how, ""));
    let iv = bytes_of(iv.trim()).ok_or_else(|| KeyError::Cipher(how.to_owned()))?;
    let salt = iv.get(..8).ok_or_else(|| KeyError::Cipher(how.to_owned()))?;
    let key = |length: usize| stretched(password.0.as_bytes(), salt, length);
    let sealed = block.contents();
    match cipher.trim() {
        "AES-128-CBC" => open::<cbc::Decryptor<aes::Aes128>>(&key(16), &iv, sealed),
        "AES-192-CBC" => open::<cbc::Decryptor<aes::Aes192>>(&key(24), &iv, sealed),
        "AES-256-CBC" => open::<cbc::Decryptor<aes::Aes256>>(&key(32), &iv, sealed),
        "DES-EDE3-CBC" => open::<cbc::Decryptor<des::TdesEde3>>(&key(24), &iv, sealed),
        other => Err(KeyError::Cipher(other.to_owned())),
    }
}

fn open<C: KeyIvInit + BlockModeDecrypt>(key: &[u8], iv: &[u8], sealed: &[u8]) -> Result<Vec<u8>, KeyError> {
    let cipher = C::new_from_slices(key, iv).map_err(|_| KeyError::WrongPassword)?;
    cipher.decrypt_padded_vec::<Pkcs7>(sealed).map_err(|_| KeyError::WrongPassword)
}

/// `EVP_BytesToKey` of OpenSSL with MD5 and one round.
fn stretched(password: &[u8], salt: &[u8], length: usize) -> Vec<u8> {
    let (mut key, mut last) = (Vec::new(), Vec::new());
    while key.len() < length {
        let mut digest = Md5::new();
        digest.update(&last);
        digest.update(password);
        digest.update(salt);
        last = digest.finalize().to_vec();
        key.extend_from_slice(&last);
    }
    key.truncate(length);
    key
}

/// The bytes of a text in hexadecimal.
fn bytes_of(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use rstest::rstest;

    use super::*;

    /// Keys as the system's own tool writes them.
    fn openssl(arguments: &[&str]) {
        let output = Command::new("openssl").args(arguments).output().expect("openssl runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    #[rstest]
    #[case::pkcs8(&["pkey", "-aes256"])]
    #[case::pkcs8_des(&["pkcs8", "-topk8", "-v2", "des3"])]
    #[case::pkcs8_older(&["pkcs8", "-topk8", "-v2", "aes-128-cbc"])]
    #[case::old_aes(&["rsa", "-aes256", "-traditional"])]
    #[case::old_aes_short(&["rsa", "-aes128", "-traditional"])]
    #[case::old_des(&["rsa", "-des3", "-traditional"])]
    fn an_encrypted_key_is_read_with_its_password(#[case] how: &[&str]) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (plain, sealed) = (path("plain.pem"), path("sealed.pem"));
        openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", &plain]);
        openssl(&[how, &["-in", &plain, "-out", &sealed, "-passout", "pass:open sesame"]].concat());
        let read = |password: Option<&str>| {
            let password = password.map(|text| KeyPassword::new(text.to_owned()));
            read_key(Path::new(&sealed), password.as_ref())
        };
        let key = read(Some("open sesame")).expect("decrypted");
        assert!(rustls::crypto::ring::sign::any_supported_type(&key).is_ok());
        assert!(
            matches!(read(Some("wrong")), Err(KeyError::WrongPassword))
                || read(Some("wrong")).is_ok_and(|key| {
                    // One wrong password in 256 passes for padding in the old form, and is no key then.
                    rustls::crypto::ring::sign::any_supported_type(&key).is_err()
                })
        );
        assert!(matches!(read(None), Err(KeyError::NoTerminal)));
        assert!(read_key(Path::new(&plain), None).is_ok());
    }

    #[test]
    fn what_is_no_key_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key.pem");
        std::fs::write(&path, "hello").expect("written");
        assert!(matches!(read_key(&path, None), Err(KeyError::NoKey)));
        assert!(matches!(read_key(Path::new("/nonexistent"), None), Err(KeyError::Unreadable(_))));
    }
}
