/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_SETTINGS_TABLE_H
#define TLM_SETTINGS_TABLE_H

/*
 * The table. Included by settings.h; to add a setting, add a row here and nothing else.
 *
 * ROW(member, type, key, environment, flag, argument, default, minimum, maximum, programs, help)
 *
 * key: below {"TrustedLicensing": …} in TLLicenseManager.json, "" where a file cannot set it.
 * environment: names in order of precedence, separated by blanks.
 * flag: long name without dashes; a switch that is on by default has its "no-" form here.
 * default: text as it would stand in the environment.
 * minimum, maximum: of numbers; for a text, its fewest bytes and its most (0: 4096).
 * argument of a word: the words there are, separated by "|".
 */
#define TLM_SERVERS (TLM_PROGRAM_DAEMON | TLM_PROGRAM_TOKEND)
#define TLM_ALL (TLM_SERVERS | TLM_PROGRAM_TOKEN)

#define TLM_SETTINGS(ROW)                                                                          \
    ROW(config, text, "", "TLM_CONFIG", "config", "FILE", "", 0, 0, TLM_ALL,                       \
        "Configuration file; default TLLicenseManager.json in the configuration directory")        \
    ROW(config_dir, text, "", "TLM_CONFIG_DIR", "config-dir", "DIR",                               \
        "/etc/asperion/trustedLicensing/config", 0, 0, TLM_ALL, "Configuration directory")         \
    ROW(persistence_dir, text, "Persistence.Directory", "TLM_PERSISTENCE_DIR", "persistence-dir",  \
        "DIR", "/etc/asperion/trustedLicensing/persistence", 0, 0, TLM_ALL,                        \
        "Directory of persistence.bin, vault.bin and the token store")                             \
    ROW(log_dir, text, "LicenseManager.LogDirectory", "TLM_LOG_DIR", "log-dir", "DIR",             \
        "/var/log/asperion/trustedLicensing", 0, 0, TLM_SERVERS, "Directory of log files")         \
    ROW(log_level, level, "LicenseManager.LogLevel", "TLM_LOG_LEVEL", "log-level", "LEVEL",        \
        "info", 0, 0, TLM_ALL, "trace, debug, info, warning, error or fatal")                      \
    ROW(log_format, format, "LicenseManager.LogFormat", "TLM_LOG_FORMAT", "log-format", "FORMAT",  \
        "text", 0, 0, TLM_SERVERS, "text (key=value) or json (one object a line)")                 \
    ROW(log_max_size, number, "LicenseManager.LogMaxSize", "TLM_LOG_MAX_SIZE", "log-max-size",     \
        "KIB", "10240", 16, 1048576, TLM_SERVERS, "Size in KiB at which the log file is rotated")  \
    ROW(log_keep, number, "LicenseManager.LogKeep", "TLM_LOG_KEEP", "log-keep", "COUNT", "3", 0,   \
        100, TLM_SERVERS, "How many rotated log files are kept")                                   \
    ROW(rest_host, text, "REST.ServerAddress", "TLM_REST_HOST", "rest-host", "ADDRESS", "auto", 0, \
        0, TLM_PROGRAM_DAEMON,                                                                     \
        "Address of the REST interface; auto is 0.0.0.0 in a container, else 127.0.0.1")           \
    ROW(rest_port, number, "REST.ServerPort", "TLM_REST_PORT", "rest-port", "PORT", "52014", 0,    \
        65535, TLM_PROGRAM_DAEMON, "Port of the REST interface; 0 takes a free one")               \
    ROW(rest_connections, number, "REST.MaxConnections", "TLM_REST_CONNECTIONS",                   \
        "rest-connections", "COUNT", "2048", 8, 100000, TLM_PROGRAM_DAEMON,                        \
        "How many connections are served at a time")                                               \
    ROW(rest_timeout, number, "REST.IdleTimeout", "TLM_REST_TIMEOUT", "rest-timeout", "SECONDS",   \
        "60", 1, 3600, TLM_PROGRAM_DAEMON, "Idle connections are closed after this time")          \
    ROW(rest_deadline, number, "REST.RequestDeadline", "TLM_REST_DEADLINE", "rest-deadline",       \
        "SECONDS", "10", 1, 300, TLM_PROGRAM_DAEMON,                                               \
        "A request must have arrived whole within this time")                                      \
    ROW(rest_tls_certificate, text, "REST.Tls.Certificate", "TLM_REST_TLS_CERTIFICATE",            \
        "rest-tls-certificate", "FILE|URI", "", 0, 0, TLM_PROGRAM_DAEMON,                          \
        "Certificate chain of the REST interface, a PEM file or a pkcs11: URI; turns HTTPS on")    \
    ROW(rest_tls_key, text, "REST.Tls.Key", "TLM_REST_TLS_KEY", "rest-tls-key", "FILE|URI", "", 0, \
        0, TLM_PROGRAM_DAEMON, "Private key of that certificate, a PEM file or a pkcs11: URI")     \
    ROW(rest_tls_client_ca, text, "REST.Tls.ClientCa", "TLM_REST_TLS_CLIENT_CA",                   \
        "rest-tls-client-ca", "FILE", "", 0, 0, TLM_PROGRAM_DAEMON,                                \
        "PEM file of the authorities whose client certificates are required")                      \
    ROW(rest_tls_client_optional, switch, "REST.Tls.ClientOptional",                               \
        "TLM_REST_TLS_CLIENT_OPTIONAL", "rest-tls-client-optional", "", "false", 0, 0,             \
        TLM_PROGRAM_DAEMON, "Serve clients without a certificate too; a foreign one is refused")   \
    ROW(rest_rate, number, "REST.RateLimit", "TLM_REST_RATE", "rest-rate", "COUNT", "1000", 0,     \
        1000000, TLM_PROGRAM_DAEMON,                                                               \
        "Requests a second below /api/v1 that one address may make, and twice as many at once; 0 " \
        "is no limit")                                                                             \
    ROW(rest_access, word, "REST.Access", "TLM_REST_ACCESS", "rest-access",                        \
        "open|token|certificate", "open", 0, 0, TLM_PROGRAM_DAEMON,                                \
        "Who may lease: everybody, those with the token in client.token, or those with a client "  \
        "certificate")                                                                             \
    ROW(admin_socket, text, "REST.AdminSocket", "TLM_ADMIN_SOCKET", "admin-socket", "PATH", "", 0, \
        107, TLM_PROGRAM_DAEMON,                                                                   \
        "Unix socket for administrators; default admin.sock beside Pkcs11.Socket")                 \
    ROW(tpm_enabled, switch, "TPM.Enabled", "TPM_ENABLED", "no-tpm", "", "true", 0, 0,             \
        TLM_PROGRAM_DAEMON, "Run without a TPM: on a SoftHSM token, else on a local key")          \
    ROW(tcti, text, "TPM.Tcti", "TLM_TCTI TSS2_TCTI", "tcti", "TCTI", "", 0, 0, TLM_ALL,           \
        "How to reach the TPM, for example device:/dev/tpmrm0; nothing else is tried then")        \
    ROW(tpm_device, text, "TPM.Device", "TPM_DEVICE", "tpm-device", "PATH", "", 0, 0, TLM_ALL,     \
        "TPM device node; the same as --tcti device:PATH")                                         \
    ROW(tpm_host, text, "TPM.Host", "TPM_HOST", "tpm-host", "HOST", "", 0, 0, TLM_ALL,             \
        "Host of a swtpm socket; with --tpm-port the same as --tcti swtpm:host=,port=")            \
    ROW(tpm_port, number, "TPM.Port", "TPM_PORT", "tpm-port", "PORT", "2321", 1, 65534, TLM_ALL,   \
        "Port of a swtpm socket, used with --tpm-host")                                            \
    ROW(tpm_priority, list, "TPM.DevicePriority", "TLM_TPM_PRIORITY", "tpm-priority", "LIST",      \
        "device:/dev/tpmrm0,tabrmd", 0, 0, TLM_ALL,                                                \
        "Order in which TPM interfaces are tried when none is named")                              \
    ROW(docker_host, text, "Docker.Host", "TLM_DOCKER_HOST DOCKER_HOST", "docker-host", "URL", "", \
        0, 0, TLM_PROGRAM_DAEMON,                                                                  \
        "Container engine to ask about the own container: unix:///PATH, tcp://HOST:PORT, or none " \
        "for nobody; default /var/run/docker.sock where that is a socket")                         \
    ROW(docker_cert_path, text, "Docker.CertPath", "DOCKER_CERT_PATH", "docker-cert-path", "DIR",  \
        "", 0, 0, TLM_PROGRAM_DAEMON,                                                              \
        "Directory of ca.pem, cert.pem and key.pem for a container engine that speaks TLS")        \
    ROW(vault_policy, word, "Persistence.VaultPolicy", "TLM_VAULT_POLICY", "vault-policy",         \
        "none|SecureBoot|FirmwareBoot|BootSequence", "none", 0, 0, TLM_PROGRAM_TOKEN,              \
        "Boot state that the sealed secrets need: none, SecureBoot, FirmwareBoot or BootSequence") \
    ROW(rollback_policy, word, "Licensing.RollbackPolicy", "TLM_ROLLBACK_POLICY",                  \
        "rollback-policy", "strict|warn|stop", "strict", 0, 0, TLM_PROGRAM_DAEMON,                 \
        "What is granted after a rollback: nothing consumable or timed, everything with a "        \
        "warning, or nothing at all")                                                              \
    ROW(clock_tolerance, number, "Licensing.ClockTolerance", "TLM_CLOCK_TOLERANCE",                \
        "clock-tolerance", "SECONDS", "300", 0, 86400, TLM_PROGRAM_DAEMON,                         \
        "How far the clock may be set back before it counts as a rollback")                        \
    ROW(checkpoint_interval, number, "Licensing.CheckpointInterval", "TLM_CHECKPOINT_INTERVAL",    \
        "checkpoint-interval", "SECONDS", "300", 1, 86400, TLM_PROGRAM_DAEMON,                     \
        "Time between two steps of the token's counter while something was consumed")              \
    ROW(lease_ttl, number, "Licensing.LeaseTtl", "TLM_LEASE_TTL", "lease-ttl", "SECONDS", "300",   \
        1, 31536000, TLM_PROGRAM_DAEMON,                                                           \
        "Time after which a lease that is not renewed runs out, where the client names none")      \
    ROW(lease_ttl_max, number, "Licensing.MaxLeaseTtl", "TLM_MAX_LEASE_TTL", "max-lease-ttl",      \
        "SECONDS", "86400", 1, 31536000, TLM_PROGRAM_DAEMON, "Longest time a client may name")     \
    ROW(max_borrow, number, "Licensing.MaxBorrow", "TLM_MAX_BORROW", "max-borrow", "DAYS", "30",   \
        0, 3650, TLM_PROGRAM_DAEMON,                                                               \
        "Longest time for which a seat may be borrowed; 0 lets nobody borrow")                     \
    ROW(audit_leases, switch, "Licensing.AuditLeases", "TLM_AUDIT_LEASES", "audit-leases", "",     \
        "false", 0, 0, TLM_PROGRAM_DAEMON,                                                         \
        "Write each lease that is granted or ends into the audit log, too")                        \
    ROW(token_store, text, "Pkcs11.Store", "TLM_TOKEN_STORE", "token-store", "DIR", "", 0, 0,      \
        TLM_ALL, "Directory of the token store; default token in the persistence directory")       \
    ROW(token_label, text, "Pkcs11.Label", "TLM_TOKEN_LABEL", "token-label", "LABEL", "tlm", 0,    \
        32, TLM_ALL, "Label of the token, at most 32 bytes, and 31 for one in a TPM")              \
    ROW(pkcs11_module, text, "Pkcs11.Module", "TLM_PKCS11_MODULE", "pkcs11-module", "FILE", "", 0, \
        0, TLM_SERVERS, "A PKCS#11 module instead of the provisioned token store")                 \
    ROW(pkcs11_token, text, "Pkcs11.Token", "TLM_PKCS11_TOKEN", "pkcs11-token", "URI", "", 0, 0,   \
        TLM_SERVERS, "pkcs11: URI (RFC 7512) of the token in that module")                         \
    ROW(pkcs11_pin_file, text, "Pkcs11.PinFile", "TLM_PKCS11_PIN_FILE", "pkcs11-pin-file", "FILE", \
        "", 0, 0, TLM_SERVERS, "File of mode 0600 with the PIN for that module")                   \
    ROW(pkcs11_socket, text, "Pkcs11.Socket", "TLM_PKCS11_SOCKET", "pkcs11-socket", "PATH",        \
        "/run/tlm/pkcs11.sock", 1, 107, TLM_SERVERS,                                               \
        "Unix socket on which tlm-tokend serves the token")                                        \
    ROW(start_tokend, switch, "Pkcs11.StartTokend", "TLM_START_TOKEND", "no-start-tokend", "",     \
        "true", 0, 0, TLM_PROGRAM_DAEMON, "Start no tlm-tokend where nobody serves the socket")    \
    ROW(access_file, text, "Pkcs11.AccessFile", "TLM_ACCESS_FILE", "access-file", "FILE", "", 0,   \
        0, TLM_PROGRAM_TOKEND,                                                                     \
        "Table of who may use which keys; default access.json in the configuration directory")     \
    ROW(tokend_user, text, "Pkcs11.User", "TLM_TOKEND_USER", "user", "NAME", "", 0, 64,            \
        TLM_PROGRAM_TOKEND, "User that tlm-tokend becomes when root starts it; empty: stays root") \
    ROW(max_clients, number, "Pkcs11.MaxClients", "TLM_MAX_CLIENTS", "max-clients", "COUNT", "64", \
        4, 4096, TLM_PROGRAM_TOKEND,                                                               \
        "How many connections are served at a time, and a quarter of them for each user")          \
    ROW(max_sessions, number, "Pkcs11.MaxSessions", "TLM_MAX_SESSIONS", "max-sessions", "COUNT",   \
        "32", 1, 4096, TLM_PROGRAM_TOKEND,                                                         \
        "How many PKCS#11 sessions each connection may have open")                                 \
    ROW(call_timeout, number, "Pkcs11.CallTimeout", "TLM_CALL_TIMEOUT", "call-timeout", "SECONDS", \
        "120", 1, 3600, TLM_PROGRAM_TOKEND,                                                        \
        "A call of the token's module that takes longer ends the program, to be started afresh")   \
    ROW(restart_after, number, "Pkcs11.RestartAfter", "TLM_RESTART_AFTER", "restart-after",        \
        "OPERATIONS", "60000", 10, 1000000000, TLM_PROGRAM_TOKEND,                                 \
        "The token's module is torn down and brought back after so many operations")

enum {
#define TLM_SETTING_INDEX(member, ...) TLM_SETTING_##member,
    TLM_SETTINGS(TLM_SETTING_INDEX)
#undef TLM_SETTING_INDEX
        TLM_SETTING_COUNT
};

#endif
