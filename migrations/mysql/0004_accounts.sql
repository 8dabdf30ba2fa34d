-- Users, their sessions, and API tokens. Of a session and of a token only a digest is kept.

CREATE TABLE IF NOT EXISTS `orchestrator_user` (
    `name` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    `password_hash` varchar(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    `role` varchar(16) NOT NULL,
    `clusters` text CHARACTER SET utf8mb4 NOT NULL,
    `created_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `password_set_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `orchestrator_session` (
    `id` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    `user_name` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    `csrf_token` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    `address` varchar(64) NOT NULL,
    `agent` varchar(255) CHARACTER SET utf8mb4 NOT NULL,
    `created_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `seen_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `ends_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (`id`),
    KEY `user_idx_orchestrator_session` (`user_name`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `orchestrator_token` (
    `id` varchar(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    `name` varchar(64) NOT NULL,
    `owner` varchar(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    `owner_method` varchar(16) NOT NULL,
    `secret_hash` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    `role` varchar(16) NOT NULL,
    `clusters` text CHARACTER SET utf8mb4 NOT NULL,
    `created_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `ends_at` timestamp NULL DEFAULT NULL,
    `used_at` timestamp NULL DEFAULT NULL,
    `used_from` varchar(64) NOT NULL,
    PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;
