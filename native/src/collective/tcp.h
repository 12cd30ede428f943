// Ranks connected by TCP: needs nothing but a network.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "collective/communicator.h"
#include "collective/mesh.h"

namespace rs::collective {

// Connects rank `rank` to its peers; `addresses` says where each rank listens, `listener` is this rank's own. Only
// who knows `key` takes part. Throws Failure where a peer does not come within the deadline.
std::unique_ptr<Communicator> make_tcp(const Socket& listener, int rank, const std::vector<Address>& addresses,
                                       const std::string& key, Deadline deadline);

}  // namespace rs::collective
