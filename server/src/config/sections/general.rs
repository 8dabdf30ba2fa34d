//! General, process and page: section 7.1 of the configuration.

use crate::config::table::section;

section! {
    /// What concerns the process and its page as a whole (spec 7.1).
    GeneralConfig, "General, process and page" {
        /// Raise the log level to DEBUG, as `-debug` does; `-quiet` wins.
        "Debug" => debug: bool = false, Start, InEffect;
        /// Also send log lines of INFO and above to syslog, tag `orchestrator`. Failure to reach syslog is
        /// ignored.
        "EnableSyslog" => enable_syslog: bool = false, Start, InEffect;
        /// TCP address of the page and API, `host:port` or `:port`. Without it and without authentication only
        /// 127.0.0.1:3000 is opened.
        "ListenAddress" => listen_address: String = ":3000".to_owned(), Start, InEffect;
        /// Path of a unix socket to listen on. When set, TCP and TLS listeners are not opened. Who connects counts as
        /// calling from 127.0.0.1.
        "ListenSocket" => listen_socket: String = String::new(), Start, InEffect;
        /// Path prefix under which page, API and static files are served, for use behind a proxy.
        "URLPrefix" => url_prefix: String = String::new(), Start, InEffect;
        /// Refuse every modifying web/API request, whatever the authentication. Does not stop polling or
        /// automated recovery; does not affect the CLI.
        "ReadOnly" => read_only: bool = false, Live, InEffect;
        /// MySQL port assumed when a host is given without one (CLI, API, pools, seeds).
        "DefaultInstancePort" => default_instance_port: i64 = 3306, Live, InEffect;
        /// Text shown below the title bar of all web pages, to those who may see anything.
        "WebMessage" => web_message: String = String::new(), Live, InEffect;
        /// Text cut once out of names of servers in the trees and lists of the page, e.g. `.mydomain.com:3306`. Display only:
        /// panels and questions before an action have the full name.
        "RemoveTextFromHostnameDisplay" => remove_text_from_hostname_display: String = String::new(), Live, InEffect;
        /// Path of the health endpoint. The default stands below `URLPrefix`; any other value is taken
        /// literally.
        "StatusEndpoint" => status_endpoint: String = "/api/status".to_owned(), Start, InEffect;
        /// With mutual TLS: also demand a valid OU from clients of the status endpoint. Otherwise that very address, and no
        /// other, is open to clients without a certificate.
        "StatusOUVerify" => status_ou_verify: bool = false, Live, InEffect;
        /// Prefix API messages with this node's identity: empty or `none`, `FQDN`, `hostname`, `custom`.
        "PrependMessagesWithOrcIdentity" => prepend_messages_with_identity: String = String::new(), Start, InEffect;
        /// Identity used for `custom` above.
        "CustomOrcIdentity" => custom_identity: String = String::new(), Start, InEffect;
    }
}

impl GeneralConfig {
    /// MySQL port of a server that is given without one. Checked at load.
    #[must_use]
    pub fn default_port(&self) -> u16 {
        u16::try_from(self.default_instance_port).unwrap_or(3306)
    }
}
