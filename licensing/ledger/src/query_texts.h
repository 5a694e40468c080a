/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LEDGER_QUERY_TEXTS_H
#define TLM_LEDGER_QUERY_TEXTS_H

/* Every statement of the ledger but the guard's and the audit log's. */

#define TLM_Q_LEASE_COLUMNS                                                                        \
    "id, pool, client, units, granted, renewed, expires, fence, reserved, jkt"

#define TLM_Q_STATEMENTS(X)                                                                        \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                    \
    X(BEGIN_READ, "BEGIN")                                                                         \
    X(COMMIT, "COMMIT")                                                                            \
    X(ROLLBACK, "ROLLBACK")                                                                        \
    X(SAVE, "SAVEPOINT request")                                                                   \
    X(SAVED, "RELEASE request")                                                                    \
    X(BACK, "ROLLBACK TO request")                                                                 \
    X(META_GET, "SELECT value FROM meta WHERE name = ?")                                           \
    X(META_SET, "INSERT OR REPLACE INTO meta(name, value) VALUES(?, ?)")                           \
    X(META_SET_NUMBER, "INSERT OR REPLACE INTO meta(name, value) VALUES(?, ?)")                    \
    X(LICENSES, "SELECT id, text, issued, activated, removed, unbound, jti FROM licenses "         \
                "ORDER BY id")                                                                     \
    X(LICENSE_ADD, "INSERT INTO licenses(jti, vendor, text, issued, activated, updated, removed, " \
                   "unbound) VALUES(?, ?, ?, ?, ?, ?, NULL, 0)")                                   \
    X(LICENSE_UPDATE,                                                                              \
      "UPDATE licenses SET text = ?, issued = ?, updated = ?, removed = NULL, unbound = 0 "        \
      "WHERE id = ?")                                                                              \
    X(LICENSE_REMOVE, "UPDATE licenses SET removed = ? WHERE id = ?")                              \
    X(LICENSE_UNBOUND, "UPDATE licenses SET unbound = ? WHERE id = ?")                             \
    X(LICENSES_REBASE, "UPDATE licenses SET activated = ?1 WHERE activated > ?1")                  \
    X(POOLS, "SELECT id, license, feature, model, in_use, used, first_use FROM pools")             \
    X(POOL_ADD, "INSERT INTO pools(license, feature, model) VALUES(?, ?, ?)")                      \
    X(POOL_UPDATE, "UPDATE pools SET in_use = ?, used = ?, first_use = ? WHERE id = ?")            \
    X(POOL_FREE, "UPDATE pools SET in_use = in_use - ? WHERE id = ?")                              \
    X(POOL_MODEL, "UPDATE pools SET model = ?, used = 0, first_use = NULL WHERE id = ?")           \
    X(POOL_RESERVED, "UPDATE leases SET reserved = 0 WHERE pool = ?")                              \
    X(POOL_MEMBERS, "DELETE FROM members WHERE pool = ?")                                          \
    X(POOL_TAKES, "DELETE FROM takes WHERE pool = ?")                                              \
    X(POOLS_REBASE, "UPDATE pools SET first_use = ?1 WHERE first_use > ?1")                        \
    X(LEASE_COUNT, "SELECT COUNT(*), COALESCE(SUM(units), 0) FROM leases")                         \
    X(LEASES, "SELECT " TLM_Q_LEASE_COLUMNS " FROM leases ORDER BY granted, id")                   \
    X(LEASE_BY_ID, "SELECT " TLM_Q_LEASE_COLUMNS " FROM leases WHERE id = ?")                      \
    X(LEASES_OF_CLIENT, "SELECT " TLM_Q_LEASE_COLUMNS " FROM leases WHERE client = ?")             \
    X(LEASES_OVER, "SELECT " TLM_Q_LEASE_COLUMNS " FROM leases WHERE expires <= ?")                \
    X(LEASES_OVER_SUM, "SELECT pool, SUM(units), COUNT(*) FROM leases WHERE expires <= ? "         \
                       "GROUP BY pool")                                                            \
    X(LEASES_OVER_REMOVE, "DELETE FROM leases WHERE expires <= ?")                                 \
    X(LEASE_ADD, "INSERT INTO leases(" TLM_Q_LEASE_COLUMNS ") "                                    \
                 "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")                                           \
    X(LEASE_UPDATE, "UPDATE leases SET units = ?, renewed = ?, expires = ?, reserved = ?, "        \
                    "jkt = ? WHERE id = ?")                                                        \
    X(LEASE_REMOVE, "DELETE FROM leases WHERE id = ?")                                             \
    X(LEASES_REBASE, "UPDATE leases SET expires = ?1 + (expires - renewed), renewed = ?1, "        \
                     "granted = MIN(granted, ?1) WHERE renewed > ?1")                              \
    X(MEMBER, "SELECT 1 FROM members WHERE pool = ? AND client = ?")                               \
    X(MEMBER_ADD, "INSERT INTO members(pool, client, added) VALUES(?, ?, ?)")                      \
    X(TAKEN, "SELECT units FROM takes WHERE pool = ? AND client = ?")                              \
    X(TAKEN_SET, "INSERT OR REPLACE INTO takes(pool, client, units) VALUES(?, ?, ?)")              \
    X(TAKEN_REMOVE, "DELETE FROM takes WHERE pool = ? AND client = ?")                             \
    X(USE, "SELECT feature, client, pool, units, given_back, used, remaining FROM uses "           \
           "WHERE request = ?")                                                                    \
    X(USE_ADD, "INSERT INTO uses(request, at, feature, client, pool, units, given_back, used, "    \
               "remaining) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)")                                     \
    X(USES_OLD, "DELETE FROM uses WHERE at < ?")                                                   \
    X(REVOKED_ALL, "SELECT vendor, jti FROM revoked")                                              \
    X(REVOKED, "SELECT 1 FROM revoked WHERE vendor = ? AND jti = ?")                               \
    X(REVOKED_ADD, "INSERT OR IGNORE INTO revoked(vendor, jti) VALUES(?, ?)")                      \
    X(REVOKED_CLEAR, "DELETE FROM revoked WHERE vendor = ?")                                       \
    X(REVOKED_COUNT, "SELECT COUNT(*) FROM revoked WHERE vendor = ?")                              \
    X(REVOCATION, "SELECT serial FROM revocations WHERE vendor = ?")                               \
    X(REVOCATION_SET, "INSERT OR REPLACE INTO revocations(vendor, serial, issued, taken, kid) "    \
                      "VALUES(?, ?, ?, ?, ?)")                                                     \
    X(REVOCATIONS, "SELECT vendor, serial, issued, taken, kid, (SELECT COUNT(*) FROM revoked "     \
                   "WHERE revoked.vendor = revocations.vendor) FROM revocations ORDER BY vendor")  \
    X(FALLBACKS, "SELECT fingerprint, component, sha256 FROM fallbacks ORDER BY fingerprint")      \
    X(FALLBACK_ADD, "INSERT OR IGNORE INTO fallbacks(fingerprint, component, sha256, seen) "       \
                    "VALUES(?, ?, ?, ?)")

#endif
