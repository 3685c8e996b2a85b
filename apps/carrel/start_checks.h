// What is looked at before `carrel serve` touches anything, so that a start that cannot succeed
// leaves nothing behind.
//
// Errors: Error "serve.not_loopback", "serve.folder", "serve.disk_full", with what to do about it.
#pragma once

#include <filesystem>
#include <string>

namespace carrel::program {

// Without API keys, whoever reaches the port may move money: only loopback is served.
void require_loopback(const std::string& address);

// That the folder, or the one that it will be made in, is a folder, can be written, and has room.
void require_usable_folder(const std::filesystem::path& folder);

}  // namespace carrel::program
