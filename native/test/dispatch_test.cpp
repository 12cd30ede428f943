// RINGSTEP_SIMD asks for an instruction set; what the processor lacks, or nobody knows, is not taken.
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "instruction_sets.h"
#include "ringstep.h"

namespace {

// The choice is made once for a process: each case has its own.
void expect(const char* wanted, const char* expected) {
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    if (wanted) {
      setenv("RINGSTEP_SIMD", wanted, 1);
    } else {
      unsetenv("RINGSTEP_SIMD");
    }
    const char* simd = rs_cpu_simd();
    CHECK(strcmp(simd, expected) == 0, "RINGSTEP_SIMD=%s gives %s, not %s", wanted ? wanted : "", simd, expected);
    _exit(0);
  }
  int status = 1;
  CHECK(child > 0 && waitpid(child, &status, 0) == child, "no process for %s", wanted ? wanted : "none");
  if (status != 0) exit(1);  // it has said why
}

}  // namespace

int main() {
  const char* second = test::has_avx2() ? "avx2" : "baseline";
  const char* best = test::has_avx512() ? "avx512" : second;
  expect(nullptr, best);
  expect("avx512", best);
  expect("avx2", second);
  expect("baseline", "baseline");
  expect("", best);
  expect("sse9", best);
  return 0;
}
