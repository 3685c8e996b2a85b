// A library that a test loads and unloads.
#pragma once

#include <dlfcn.h>

#include <stdexcept>
#include <string>

namespace carrel::local {

class LoadedPlugin {
 public:
  explicit LoadedPlugin(const char* path) : path_(path), handle_(dlopen(path, RTLD_NOW)) {
    if (handle_ == nullptr) throw std::runtime_error(dlerror());
  }
  LoadedPlugin(const LoadedPlugin&) = delete;
  LoadedPlugin& operator=(const LoadedPlugin&) = delete;
  ~LoadedPlugin() { unload(); }

  template <class F>
  F* function(const char* name) const {
    return reinterpret_cast<F*>(dlsym(handle_, name));
  }
  void unload() {
    if (handle_ != nullptr) dlclose(handle_);
    handle_ = nullptr;
  }
  [[nodiscard]] bool is_in_memory() const {
    void* const found = dlopen(path_.c_str(), RTLD_NOW | RTLD_NOLOAD);
    if (found != nullptr) dlclose(found);
    return found != nullptr;
  }

 private:
  std::string path_;
  void* handle_;
};

}  // namespace carrel::local
