//! The table of routes.

use super::path::{Operation, RouteId};
use super::query::{Listing, UserListing};
use super::table::{Auth, Input, Output, Row};
use super::wire::{
    AdminBody, LoginBody, OrganizationBody, OrganizationChange, RouteBody, ServerBody,
    SettingsBody, UserBody,
};
use super::{Reject, body, query};
use crate::base::ids::{AdminId, ClientId, EventId, HostId, JobId, OrgId, ServerId, UserId};
use crate::limits;

routes! {
    /// Signs in.
    Login { ; body: LoginBody } = POST "/auth/session", None;
    /// Signs out.
    Logout {} = DELETE "/auth/session", None;
    /// What the console must know first; a test of credentials.
    GetState {} = GET "/state", Light;
    /// Settings, and the administrator who asks.
    GetSettings {} = GET "/settings", Session;
    /// Replaces them.
    PutSettings { ; body: SettingsBody } = PUT "/settings", Session,
        body_limit: limits::BODY_CERTIFICATE_BYTES_MAX;

    /// All administrators.
    ListAdmins {} = GET "/admin", Super;
    /// One administrator.
    GetAdmin { admin: AdminId } = GET "/admin/:admin", Super;
    /// Replaces an administrator's fields.
    PutAdmin { admin: AdminId; body: AdminBody } = PUT "/admin/:admin", Super;

    /// Organizations, all or a page.
    ListOrganizations { ; query: Listing } = GET "/organization", Session;
    /// One organization.
    GetOrganization { org: OrgId } = GET "/organization/:org", Session;
    /// Creates an organization with its certificate authority.
    CreateOrganization { ; body: OrganizationBody } = POST "/organization", Session;
    /// Replaces an organization's fields.
    PutOrganization { org: OrgId; body: OrganizationChange } = PUT "/organization/:org", Session;
    /// Deletes an organization and its users.
    DeleteOrganization { org: OrgId } = DELETE "/organization/:org", Session;

    /// Users of an organization: all, a page, or those that match.
    ListUsers { org: OrgId; query: UserListing } = GET "/user/:org", Session;
    /// One user.
    GetUser { org: OrgId, user: UserId } = GET "/user/:org/:user", Session;
    /// Creates a user; answered with an array of one.
    CreateUser { org: OrgId; body: Box<UserBody> } = POST "/user/:org", Session;
    /// Creates many users.
    CreateUsers { org: OrgId; body: Vec<UserBody> } = POST "/user/:org/multi", Session,
        body_limit: limits::BODY_BULK_USERS_BYTES_MAX;
    /// Replaces a user's fields.
    PutUser { org: OrgId, user: UserId; body: Box<UserBody> } = PUT "/user/:org/:user", Session;
    /// Deletes a user.
    DeleteUser { org: OrgId, user: UserId } = DELETE "/user/:org/:user", Session;
    /// Gives a user a new OTP secret.
    RenewOtpSecret { org: OrgId, user: UserId } = PUT "/user/:org/:user/otp_secret", Session;

    /// Servers, all or a page.
    ListServers { ; query: Listing } = GET "/server", Session;
    /// One server.
    GetServer { server: ServerId } = GET "/server/:server", Session;
    /// Creates a server.
    CreateServer { ; body: Box<ServerBody> } = POST "/server", Session, waiting: true;
    /// Replaces a server's options.
    PutServer { server: ServerId; body: Box<ServerBody> } = PUT "/server/:server", Session;
    /// Deletes a server.
    DeleteServer { server: ServerId } = DELETE "/server/:server", Session;
    /// Starts, stops or restarts a server.
    OperateServer { server: ServerId, operation: Operation }
        = PUT "/server/:server/operation/:operation", Session, waiting: true;

    /// Organizations of a server.
    ListServerOrganizations { server: ServerId } = GET "/server/:server/organization", Session;
    /// Attaches an organization.
    AttachOrganization { server: ServerId, org: OrgId }
        = PUT "/server/:server/organization/:org", Session;
    /// Detaches an organization.
    DetachOrganization { server: ServerId, org: OrgId }
        = DELETE "/server/:server/organization/:org", Session;
    /// Hosts of a server.
    ListServerHosts { server: ServerId } = GET "/server/:server/host", Session;
    /// Attaches a host.
    AttachHost { server: ServerId, host: HostId } = PUT "/server/:server/host/:host", Session;
    /// Detaches a host.
    DetachHost { server: ServerId, host: HostId } = DELETE "/server/:server/host/:host", Session;

    /// Routes of a server.
    ListRoutes { server: ServerId } = GET "/server/:server/route", Session;
    /// Adds or replaces a route.
    CreateRoute { server: ServerId; body: RouteBody } = POST "/server/:server/route", Session;
    /// Adds or replaces many, all or none.
    CreateRoutes { server: ServerId; body: Vec<RouteBody> } = POST "/server/:server/routes",
        Session, body_limit: limits::BODY_BULK_ROUTES_BYTES_MAX;
    /// Replaces a route; its network is the path's.
    PutRoute { server: ServerId, route: RouteId; body: RouteBody }
        = PUT "/server/:server/route/:route", Session;
    /// Removes a route.
    DeleteRoute { server: ServerId, route: RouteId }
        = DELETE "/server/:server/route/:route", Session;

    /// Latest lines of a server's output.
    GetOutput { server: ServerId } = GET "/server/:server/output", Session;
    /// Forgets them.
    ClearOutput { server: ServerId } = DELETE "/server/:server/output", Session;
    /// Who is connected to a server (ours).
    ListClients { server: ServerId } = GET "/server/:server/client", Session;
    /// Disconnects a client (ours).
    KickClient { server: ServerId, client: ClientId }
        = DELETE "/server/:server/client/:client", Session;

    /// Hosts, all or a page.
    ListHosts { ; query: Listing } = GET "/host", Session;
    /// One host.
    GetHost { host: HostId } = GET "/host/:host", Session;
    /// Counts of everything.
    GetStatus {} = GET "/status", Session;
    /// Events from now on.
    GetEvents {} = GET "/event", Session, waiting: true;
    /// Events after one that is known.
    GetEventsAfter { cursor: EventId } = GET "/event/:cursor", Session, waiting: true;

    /// All profiles of a user in one archive.
    GetArchive { org: OrgId, user: UserId } = GET "/data/:org/:user.tar", Light;
    /// A user's profile for one server.
    GetProfile { org: OrgId, user: UserId, server: ServerId }
        = GET "/data/:org/:user/:server.key", Light;

    /// Whether this host is well.
    GetPing {} = GET "/ping", None;
    /// The same.
    GetCheck {} = GET "/check", None;

    /// Fill of the pools (ours).
    ListPools {} = GET "/pool", Session;
    /// Jobs of the queue (ours).
    ListJobs {} = GET "/job", Session;
    /// One job, done ones included (ours).
    GetJob { job: JobId } = GET "/job/:job", Session;
    /// Has a job done at once that failed or waits after a failure (ours).
    RetryJob { job: JobId } = PUT "/job/:job/retry", Session;
    /// Cancels a job that is not over; removes one that is (ours).
    DeleteJob { job: JobId } = DELETE "/job/:job", Session;
    /// Tasks and when they ran (ours).
    ListTasks {} = GET "/task", Session;
    /// Runs a task now, on whichever host is first (ours).
    RunTask { task: String } = PUT "/task/:task/run", Session;
}
