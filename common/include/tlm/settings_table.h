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
 * minimum, maximum: of numbers; for a text, maximum is its most bytes (0: 4096).
 */
#define TLM_BOTH (TLM_PROGRAM_DAEMON | TLM_PROGRAM_TOKEN)

#define TLM_SETTINGS(ROW)                                                                          \
    ROW(config, text, "", "TLM_CONFIG", "config", "FILE", "", 0, 0, TLM_BOTH,                      \
        "Configuration file; default TLLicenseManager.json in the configuration directory")        \
    ROW(config_dir, text, "", "TLM_CONFIG_DIR", "config-dir", "DIR",                               \
        "/etc/asperion/trustedLicensing/config", 0, 0, TLM_BOTH, "Configuration directory")        \
    ROW(persistence_dir, text, "Persistence.Directory", "TLM_PERSISTENCE_DIR", "persistence-dir",  \
        "DIR", "/etc/asperion/trustedLicensing/persistence", 0, 0, TLM_BOTH,                       \
        "Directory of persistence.bin, vault.bin and the token store")                             \
    ROW(log_dir, text, "LicenseManager.LogDirectory", "TLM_LOG_DIR", "log-dir", "DIR",             \
        "/var/log/asperion/trustedLicensing", 0, 0, TLM_PROGRAM_DAEMON, "Directory of log files")  \
    ROW(log_level, level, "LicenseManager.LogLevel", "TLM_LOG_LEVEL", "log-level", "LEVEL",        \
        "info", 0, 0, TLM_BOTH, "trace, debug, info, warning, error or fatal")                     \
    ROW(log_format, format, "LicenseManager.LogFormat", "TLM_LOG_FORMAT", "log-format", "FORMAT",  \
        "text", 0, 0, TLM_PROGRAM_DAEMON, "text (key=value) or json (one object a line)")          \
    ROW(log_max_size, number, "LicenseManager.LogMaxSize", "TLM_LOG_MAX_SIZE", "log-max-size",     \
        "KIB", "10240", 16, 1048576, TLM_PROGRAM_DAEMON,                                           \
        "Size in KiB at which the log file is rotated")                                            \
    ROW(log_keep, number, "LicenseManager.LogKeep", "TLM_LOG_KEEP", "log-keep", "COUNT", "3", 0,   \
        100, TLM_PROGRAM_DAEMON, "How many rotated log files are kept")                            \
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
    ROW(tpm_enabled, switch, "TPM.Enabled", "TPM_ENABLED", "no-tpm", "", "true", 0, 0,             \
        TLM_PROGRAM_DAEMON, "Run without a TPM: on a SoftHSM token, else on a local key")          \
    ROW(tcti, text, "TPM.Tcti", "TLM_TCTI TSS2_TCTI", "tcti", "TCTI", "", 0, 0, TLM_BOTH,          \
        "How to reach the TPM, for example device:/dev/tpmrm0; nothing else is tried then")        \
    ROW(tpm_device, text, "TPM.Device", "TPM_DEVICE", "tpm-device", "PATH", "", 0, 0, TLM_BOTH,    \
        "TPM device node; the same as --tcti device:PATH")                                         \
    ROW(tpm_host, text, "TPM.Host", "TPM_HOST", "tpm-host", "HOST", "", 0, 0, TLM_BOTH,            \
        "Host of a swtpm socket; with --tpm-port the same as --tcti swtpm:host=,port=")            \
    ROW(tpm_port, number, "TPM.Port", "TPM_PORT", "tpm-port", "PORT", "2321", 1, 65534, TLM_BOTH,  \
        "Port of a swtpm socket, used with --tpm-host")                                            \
    ROW(tpm_priority, list, "TPM.DevicePriority", "TLM_TPM_PRIORITY", "tpm-priority", "LIST",      \
        "device:/dev/tpmrm0,tabrmd", 0, 0, TLM_BOTH,                                               \
        "Order in which TPM interfaces are tried when none is named")                              \
    ROW(token_store, text, "Pkcs11.Store", "TLM_TOKEN_STORE", "token-store", "DIR", "", 0, 0,      \
        TLM_BOTH, "Directory of the token store; default token in the persistence directory")      \
    ROW(token_label, text, "Pkcs11.Label", "TLM_TOKEN_LABEL", "token-label", "LABEL", "tlm", 0,    \
        32, TLM_BOTH, "Label of the token, at most 32 bytes, and 31 for one in a TPM")             \
    ROW(pkcs11_module, text, "Pkcs11.Module", "TLM_PKCS11_MODULE", "pkcs11-module", "FILE", "", 0, \
        0, TLM_PROGRAM_DAEMON, "A PKCS#11 module instead of the provisioned token store")          \
    ROW(pkcs11_token, text, "Pkcs11.Token", "TLM_PKCS11_TOKEN", "pkcs11-token", "URI", "", 0, 0,   \
        TLM_PROGRAM_DAEMON, "pkcs11: URI (RFC 7512) of the token in that module")                  \
    ROW(pkcs11_pin_file, text, "Pkcs11.PinFile", "TLM_PKCS11_PIN_FILE", "pkcs11-pin-file", "FILE", \
        "", 0, 0, TLM_PROGRAM_DAEMON, "File of mode 0600 with the PIN for that module")

enum {
#define TLM_SETTING_INDEX(member, ...) TLM_SETTING_##member,
    TLM_SETTINGS(TLM_SETTING_INDEX)
#undef TLM_SETTING_INDEX
        TLM_SETTING_COUNT
};

#endif
