// What a fake library counts, and what it is told: its variables, by name.
#pragma once

#include <dlfcn.h>

#include "check.h"

namespace test {

// The test has one fake, `file`.
template <typename T>
T& of_fake(const char* file, const char* name) {
  static void* const library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  CHECK(library, "%s", dlerror());
  void* const variable = dlsym(library, name);
  CHECK(variable, "the fake has no %s", name);
  return *static_cast<T*>(variable);
}

}  // namespace test
