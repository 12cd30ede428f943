// The connections of one rank to its peers, each of which has proved that it knows the job's key.
#pragma once

#include <string>
#include <vector>

#include "collective/socket.h"

namespace rs::collective {

// Where a rank listens.
struct Address {
  std::string host;  // numeric
  int port;
};

// Element r is the connection to rank r, for those ranks that are peers (all_reduce.h). Connects to the lower ranks
// and waits for the higher ones at `listener`. Strangers that come to the listener are dropped. Throws Failure.
std::vector<Socket> connect_mesh(const Socket& listener, int rank, const std::vector<Address>& addresses,
                                 const std::string& key, Socket::Time end);

}  // namespace rs::collective
