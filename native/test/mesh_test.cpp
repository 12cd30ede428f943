// The handshake between ranks: strangers and wrong secrets stay outside, and whoever is missing is named.
#include <sys/socket.h>

#include <atomic>

#include "collective_test.h"
#include "random.h"

using namespace test;
using rs::collective::Address;
using rs::collective::Socket;

namespace {

constexpr Deadline kLong(30000), kShort(400);

std::vector<Address> addresses_of(const std::vector<Socket>& listeners) {
  std::vector<Address> addresses;
  for (const Socket& listener : listeners) addresses.push_back({"127.0.0.1", listener.port()});
  return addresses;
}

std::vector<Socket> listen(int size) {
  std::vector<Socket> listeners;
  for (int r = 0; r < size; ++r) listeners.push_back(Socket::listen("127.0.0.1"));
  return listeners;
}

int64_t sum_of(Communicator& ranks) {
  int64_t value = ranks.rank() + 1;
  ranks.all_reduce(&value, 1, Element::kInt64);
  return value;
}

// Some say nothing, some send garbage, some too much of it, some hang up.
void strangers() {
  const std::vector<Socket> listeners = listen(3);
  const std::vector<Address> addresses = addresses_of(listeners);
  std::atomic<bool> over{false};
  std::thread nuisance([&] {
    Random random(1);
    std::vector<Socket> silent;
    for (int i = 0; !over; ++i) {
      const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
      try {
        Socket socket = Socket::connect("127.0.0.1", addresses[static_cast<size_t>(i % 3)].port, end);
        std::string garbage(static_cast<size_t>(random.below(3000)), '\0');
        for (char& c : garbage) c = static_cast<char>(random.bits());
        // Our greeting, but no more.
        if (i % 4 == 1) garbage.replace(0, std::min<size_t>(8, garbage.size()), "RSRING01");
        if (i % 4 != 0) socket.send_all(garbage.data(), garbage.size(), end);
        if (i % 4 != 3) silent.push_back(std::move(socket));
        if (silent.size() > 200) silent.clear();
      } catch (const std::runtime_error&) {
      }
    }
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  check_none(run_ranks(3, [&](int r) {
    // The strangers have the door to themselves for a while.
    std::this_thread::sleep_for(std::chrono::milliseconds(30 * r));
    const auto ranks = rs::collective::make_tcp(listeners[static_cast<size_t>(r)], r, addresses, "key", kLong);
    CHECK(sum_of(*ranks) == 6, "a sum among strangers");
  }), "strangers");
  over = true;
  nuisance.join();
}

void another_secret() {
  const std::vector<Socket> listeners = listen(2);
  const std::vector<Address> addresses = addresses_of(listeners);
  const Failures failures = run_ranks(2, [&](int r) {
    rs::collective::make_tcp(listeners[static_cast<size_t>(r)], r, addresses, r == 0 ? "key" : "other key", kShort);
  });
  CHECK(failures[1] && failures[1]->kind == Failure::kMismatch && failures[1]->rank == 0, "%s", failures[1] ? failures[1]->what() : "in");
  CHECK(failures[0] && failures[0]->kind == Failure::kTimeout && failures[0]->rank == 1, "%s", failures[0] ? failures[0]->what() : "in");
}

void nobody_there() {
  const std::vector<Socket> listeners = listen(3);
  std::vector<Address> addresses = addresses_of(listeners);
  const Failures failures = run_ranks(2, [&](int r) {
    rs::collective::make_tcp(listeners[static_cast<size_t>(r)], r, addresses, "key", kShort);
  });
  for (int r : {0, 1}) {
    const auto& failure = failures[static_cast<size_t>(r)];
    CHECK(failure && failure->kind == Failure::kTimeout && failure->rank == 2, "%s", failure ? failure->what() : "in");
  }
  // A port where nobody listens.
  { Socket gone = Socket::listen("127.0.0.1"); addresses[0].port = gone.port(); }
  const Failures alone = run_ranks(1, [&](int) {
    rs::collective::make_tcp(listeners[1], 1, addresses, "key", kShort);
  });
  CHECK(alone[0] && alone[0]->kind == Failure::kRankLost && alone[0]->rank == 0, "%s", alone[0] ? alone[0]->what() : "in");
}

void addresses() {
  for (const char* host : {"no such host", "localhost", "300.1.1.1", ""}) {
    try {
      Socket::listen(host);
      CHECK(std::string(host).empty(), "listens at '%s'", host);
    } catch (const std::runtime_error& e) {
      CHECK(std::string(e.what()).find("not a numeric address") != std::string::npos, "%s", e.what());
    }
  }
}

}  // namespace

int main() {
  strangers();
  another_secret();
  nobody_there();
  addresses();
  return 0;
}
