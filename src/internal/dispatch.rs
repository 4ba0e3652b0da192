//! From a typed request to its handler: every row of the table of routes, exhaustively.

use crate::api::Call;
use crate::internal::answer::Handled;
use crate::internal::app::Asked;
use crate::internal::{
    admins, attachments, events, health, hosts, organizations, profiles, routes, running, servers,
    session, settings, users, work,
};

pub fn call(asked: &Asked<'_>, call: Call) -> Handled {
    match call {
        Call::Login { body } => session::login(asked, body),
        Call::Logout {} => session::logout(asked),
        Call::GetState {} => session::get_state(asked),
        Call::GetSettings {} => settings::get_settings(asked),
        Call::PutSettings { body } => settings::put_settings(asked, body),
        Call::ListAdmins {} => admins::list_admins(asked),
        Call::GetAdmin { admin } => admins::get_admin(asked, admin),
        Call::PutAdmin { admin, body } => admins::put_admin(asked, admin, body),
        Call::ListOrganizations { query } => organizations::list_organizations(asked, query),
        Call::GetOrganization { org } => organizations::get_organization(asked, org),
        Call::CreateOrganization { body } => organizations::create_organization(asked, body),
        Call::PutOrganization { org, body } => organizations::put_organization(asked, org, body),
        Call::DeleteOrganization { org } => organizations::delete_organization(asked, org),
        Call::ListUsers { org, query } => users::list_users(asked, org, query),
        Call::GetUser { org, user } => users::get_user(asked, org, user),
        Call::CreateUser { org, body } => users::create_user(asked, org, *body),
        Call::CreateUsers { org, body } => users::create_users(asked, org, body),
        Call::PutUser { org, user, body } => users::put_user(asked, org, user, *body),
        Call::DeleteUser { org, user } => users::delete_user(asked, org, user),
        Call::RenewOtpSecret { org, user } => users::renew_otp_secret(asked, org, user),
        Call::ListServers { query } => servers::list_servers(asked, query),
        Call::GetServer { server } => servers::get_server(asked, server),
        Call::CreateServer { body } => servers::create_server(asked, *body),
        Call::PutServer { server, body } => servers::put_server(asked, server, *body),
        Call::DeleteServer { server } => servers::delete_server(asked, server),
        Call::OperateServer { server, operation } => {
            servers::operate_server(asked, server, operation)
        }
        Call::ListServerOrganizations { server } => {
            attachments::list_server_organizations(asked, server)
        }
        Call::AttachOrganization { server, org } => {
            attachments::attach_organization(asked, server, org)
        }
        Call::DetachOrganization { server, org } => {
            attachments::detach_organization(asked, server, org)
        }
        Call::ListServerHosts { server } => attachments::list_server_hosts(asked, server),
        Call::AttachHost { server, host } => attachments::attach_host(asked, server, host),
        Call::DetachHost { server, host } => attachments::detach_host(asked, server, host),
        Call::ListRoutes { server } => routes::list_routes(asked, server),
        Call::CreateRoute { server, body } => routes::create_route(asked, server, body),
        Call::CreateRoutes { server, body } => routes::create_routes(asked, server, body),
        Call::PutRoute { server, route, body } => routes::put_route(asked, server, &route, body),
        Call::DeleteRoute { server, route } => routes::delete_route(asked, server, &route),
        Call::GetOutput { server } => running::get_output(asked, server),
        Call::ClearOutput { server } => running::clear_output(asked, server),
        Call::ListClients { server } => running::list_clients(asked, server),
        Call::KickClient { server, client } => running::kick_client(asked, server, client),
        Call::ListHosts { query } => hosts::list_hosts(asked, query),
        Call::GetHost { host } => hosts::get_host(asked, host),
        Call::GetStatus {} => hosts::get_status(asked),
        Call::GetEvents {} => events::get_events(asked),
        Call::GetEventsAfter { cursor } => events::get_events_after(asked, cursor),
        Call::GetArchive { org, user } => profiles::get_archive(asked, org, user),
        Call::GetProfile { org, user, server } => profiles::get_profile(asked, org, user, server),
        Call::GetPing {} => health::get_ping(asked),
        Call::GetCheck {} => health::get_check(asked),
        Call::ListPools {} => work::list_pools(asked),
        Call::ListJobs {} => work::list_jobs(asked),
        Call::GetJob { job } => work::get_job(asked, job),
        Call::RetryJob { job } => work::retry_job(asked, job),
        Call::DeleteJob { job } => work::delete_job(asked, job),
        Call::ListTasks {} => work::list_tasks(asked),
        Call::RunTask { task } => work::run_task(asked, &task),
    }
}
