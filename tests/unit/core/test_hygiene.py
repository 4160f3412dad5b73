import resource

from certpipe.core.hygiene import may_open_many


def test_a_process_may_open_as_many_sockets_as_the_system_lets_it() -> None:
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), most))
        may_open_many()
        now, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert hard == most
        assert now == (65_536 if most == resource.RLIM_INFINITY else most)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, most))
