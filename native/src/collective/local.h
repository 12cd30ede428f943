// Ranks that are threads of one process.
#pragma once

#include <memory>
#include <vector>

#include "collective/communicator.h"

namespace rs::collective {

// Communicators for `size` ranks, one for a thread each. They may be destroyed in any order.
std::vector<std::unique_ptr<Communicator>> make_local(int size, Deadline deadline);

}  // namespace rs::collective
