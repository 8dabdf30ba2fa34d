-- What the compatible audit has no columns for: how its actor was told, from where, how it ended, how long it took, and why.

CREATE TABLE IF NOT EXISTS `orchestrator_audit_detail` (
    `audit_id` bigint unsigned NOT NULL,
    `method` varchar(32) NOT NULL,
    `address` varchar(64) NOT NULL,
    `outcome` varchar(16) NOT NULL,
    `duration_ms` bigint unsigned NULL,
    `reason` varchar(1024) CHARACTER SET utf8mb4 NOT NULL,
    PRIMARY KEY (`audit_id`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;
