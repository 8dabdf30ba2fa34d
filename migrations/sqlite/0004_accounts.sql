-- Users, their sessions, and API tokens. Of a session and of a token only a digest is kept.

CREATE TABLE IF NOT EXISTS `orchestrator_user` (
    `name` varchar(64) NOT NULL,
    `password_hash` varchar(255) NOT NULL,
    `role` varchar(16) NOT NULL,
    `clusters` text NOT NULL,
    `created_at` timestamp NOT NULL,
    `password_set_at` timestamp NOT NULL,
    PRIMARY KEY (`name`)
);

CREATE TABLE IF NOT EXISTS `orchestrator_session` (
    `id` varchar(64) NOT NULL,
    `user_name` varchar(64) NOT NULL,
    `csrf_token` varchar(64) NOT NULL,
    `address` varchar(64) NOT NULL,
    `agent` varchar(255) NOT NULL,
    `created_at` timestamp NOT NULL,
    `seen_at` timestamp NOT NULL,
    `ends_at` timestamp NOT NULL,
    PRIMARY KEY (`id`)
);
CREATE INDEX IF NOT EXISTS `user_idx_orchestrator_session` ON `orchestrator_session` (`user_name`);

CREATE TABLE IF NOT EXISTS `orchestrator_token` (
    `id` varchar(32) NOT NULL,
    `name` varchar(64) NOT NULL,
    `owner` varchar(128) NOT NULL,
    `owner_method` varchar(16) NOT NULL,
    `secret_hash` varchar(64) NOT NULL,
    `role` varchar(16) NOT NULL,
    `clusters` text NOT NULL,
    `created_at` timestamp NOT NULL,
    `ends_at` timestamp NULL,
    `used_at` timestamp NULL,
    `used_from` varchar(64) NOT NULL,
    PRIMARY KEY (`id`)
);
